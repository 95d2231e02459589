"""Links, addresses, routes and rules by pyroute2, and a link that is not there."""

from pyroute2 import IPRoute

with IPRoute() as ipr:
    for link in ipr.get_links():
        print(link["index"], link.get_attr("IFLA_IFNAME"), link["flags"])
    print(sorted(a.get_attr("IFA_ADDRESS") for a in ipr.get_addr()))
    print(len(ipr.get_routes()), len(ipr.get_rules()))
    try:
        ipr.link("set", index=99999, state="up")
    except Exception as exc:
        print(exc)
