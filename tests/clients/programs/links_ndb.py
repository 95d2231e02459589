"""The database of pyroute2, which listens while it asks."""

from pyroute2 import NDB

with NDB() as ndb:
    print(sorted(str(i.ifname) for i in ndb.interfaces.dump()))
    print(sorted(str(a.address) for a in ndb.addresses.dump()))
