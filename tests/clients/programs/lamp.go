// A client of the made-up family of lamp.yaml, with mdlayher's genetlink: static, without libc.
package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

const (
	cmdGet = 1
	cmdSet = 2

	attrName   = 1
	attrHours  = 2
	attrMode   = 3
	attrColour = 4
	attrRed    = 1
	attrGreen  = 2

	modeBlinking = 2
)

var modes = []string{"off", "steady", "blinking"}

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func encoded(encode func(*netlink.AttributeEncoder)) []byte {
	attrs := netlink.NewAttributeEncoder()
	encode(attrs)
	data, err := attrs.Encode()
	check(err)
	return data
}

func named(name string) []byte {
	return encoded(func(e *netlink.AttributeEncoder) { e.String(attrName, name) })
}

func changed(name string, green uint8) []byte {
	return encoded(func(e *netlink.AttributeEncoder) {
		e.String(attrName, name)
		e.Uint64(attrHours, 1<<40)
		e.Uint32(attrMode, modeBlinking)
		e.Nested(attrColour, func(colour *netlink.AttributeEncoder) error {
			colour.Uint8(attrGreen, green)
			return nil
		})
	})
}

func show(what string, message genetlink.Message) {
	fmt.Printf("%s: cmd %d", what, message.Header.Command)
	attrs, err := netlink.NewAttributeDecoder(message.Data)
	check(err)
	for attrs.Next() {
		switch attrs.Type() {
		case attrName:
			fmt.Printf(" %s", attrs.String())
		case attrHours:
			fmt.Printf(" hours %d", attrs.Uint64())
		case attrMode:
			fmt.Printf(" %s", modes[attrs.Uint32()])
		case attrColour:
			attrs.Nested(func(colour *netlink.AttributeDecoder) error {
				for colour.Next() {
					switch colour.Type() {
					case attrRed:
						fmt.Printf(" red %d", colour.Uint8())
					case attrGreen:
						fmt.Printf(" green %d", colour.Uint8())
					}
				}
				return colour.Err()
			})
		}
	}
	check(attrs.Err())
	fmt.Println()
}

func main() {
	requests, err := genetlink.Dial(nil)
	check(err)
	defer requests.Close()
	check(requests.SetOption(netlink.ExtendedAcknowledge, true))
	events, err := genetlink.Dial(nil)
	check(err)
	defer events.Close()

	family, err := requests.GetFamily("lamp")
	check(err)
	fmt.Println("family", family.Name, family.Version)
	for _, group := range family.Groups {
		fmt.Println("group", group.Name)
		check(events.JoinGroup(group.ID))
	}

	execute := func(command uint8, flags netlink.HeaderFlags, data []byte) ([]genetlink.Message, error) {
		header := genetlink.Header{Command: command, Version: family.Version}
		message := genetlink.Message{Header: header, Data: data}
		return requests.Execute(message, family.ID, netlink.Request|flags)
	}
	refused := func(what string, command uint8, data []byte) {
		_, err := execute(command, netlink.Acknowledge, data)
		var failure *netlink.OpError
		var errno syscall.Errno
		if !errors.As(err, &failure) || !errors.As(err, &errno) {
			check(fmt.Errorf("%s: not refused: %v", what, err))
		}
		fmt.Printf("%s: errno %d, offset %d, %q\n", what, int(errno), failure.Offset, failure.Message)
	}

	_, err = execute(cmdSet, netlink.Acknowledge, changed("desk", 100))
	check(err)
	fmt.Println("set")
	answers, err := execute(cmdGet, 0, named("desk"))
	check(err)
	for _, answer := range answers {
		show("get", answer)
	}
	answers, err = execute(cmdGet, netlink.Dump, nil)
	check(err)
	for _, answer := range answers {
		show("dump", answer)
	}
	// A net against hangs.
	check(events.SetReadDeadline(time.Now().Add(time.Minute)))
	told, _, err := events.Receive()
	check(err)
	for _, event := range told {
		show("told", event)
	}
	refused("too green", cmdSet, changed("desk", 101))
}
