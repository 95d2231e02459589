// A client of mdlayher's genetlink: static, on edge-triggered epoll, with peeks and deadlines.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

// include/uapi/linux/taskstats.h
const (
	cmdGet       = 1
	attrPid      = 1
	attrRegister = 3
	typePid      = 1
	typeStats    = 3
	typeAggrPid  = 4
)

func hostOrder() binary.ByteOrder {
	one := uint16(1)
	if *(*byte)(unsafe.Pointer(&one)) == 1 {
		return binary.LittleEndian
	}
	return binary.BigEndian
}

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func execute(c *genetlink.Conn, family genetlink.Family, flags netlink.HeaderFlags,
	encode func(*netlink.AttributeEncoder)) ([]genetlink.Message, error) {
	attrs := netlink.NewAttributeEncoder()
	encode(attrs)
	data, err := attrs.Encode()
	check(err)
	header := genetlink.Header{Command: cmdGet, Version: 13}
	return c.Execute(genetlink.Message{Header: header, Data: data}, family.ID, flags)
}

func stats(c *genetlink.Conn, family genetlink.Family, pid uint32) {
	answers, err := execute(c, family, netlink.Request, func(e *netlink.AttributeEncoder) {
		e.Uint32(attrPid, pid)
	})
	if err != nil {
		fmt.Println("stats:", err)
		return
	}
	attrs, err := netlink.NewAttributeDecoder(answers[0].Data)
	check(err)
	for attrs.Next() {
		if attrs.Type() != typeAggrPid {
			continue
		}
		attrs.Nested(func(inner *netlink.AttributeDecoder) error {
			for inner.Next() {
				switch inner.Type() {
				case typePid:
					fmt.Println("pid right:", inner.Uint32() == pid)
				case typeStats:
					raw := inner.Bytes()
					fmt.Println("version", hostOrder().Uint16(raw), "of", len(raw), "bytes")
				}
			}
			return inner.Err()
		})
	}
}

func main() {
	c, err := genetlink.Dial(nil)
	check(err)
	defer c.Close()
	check(c.SetOption(netlink.ExtendedAcknowledge, true))
	family, err := c.GetFamily("TASKSTATS")
	check(err)
	fmt.Println(family.Name, family.Version, len(family.Groups))
	_, err = c.GetFamily("NOSUCH")
	fmt.Println("NOSUCH is not there:", errors.Is(err, os.ErrNotExist))
	families, err := c.ListFamilies()
	check(err)
	fmt.Println("listed:", len(families) > 1, families[0].Name)
	stats(c, family, uint32(os.Getpid()))
	stats(c, family, 0x7ffffff0)
	for _, mask := range []string{"0", "99999", "x"} {
		_, err := execute(c, family, netlink.Request|netlink.Acknowledge,
			func(e *netlink.AttributeEncoder) { e.String(attrRegister, mask) })
		fmt.Println("mask", mask+":", err)
	}

	quiet, err := genetlink.Dial(nil)
	check(err)
	check(quiet.SetReadDeadline(time.Now().Add(50 * time.Millisecond)))
	_, _, err = quiet.Receive()
	fmt.Println("deadline kept:", errors.Is(err, os.ErrDeadlineExceeded))
	check(quiet.SetReadDeadline(time.Time{}))
	ended := make(chan error)
	go func() {
		_, _, err := quiet.Receive()
		ended <- err
	}()
	time.Sleep(20 * time.Millisecond)
	check(quiet.Close())
	fmt.Println("closing ends a read:", <-ended != nil)
}
