// Lists what a kernel has of links, addresses and routes, through vishvananda/netlink.
package main

import (
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
)

func main() {
	links, err := netlink.LinkList()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, link := range links {
		fmt.Println(link.Attrs().Index, link.Attrs().Name, link.Type(), link.Attrs().MTU)
		addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		fmt.Println(addrs, err)
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
	fmt.Println(routes, err)
	_, err = netlink.LinkByName("nosuch")
	fmt.Println(err)
}
