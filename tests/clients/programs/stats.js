// A client of the npm package "netlink": libuv's epoll, gathered sends, peeks of one byte.
const { createGenericNetlink, formatAttribute, parseAttributes, readU16, putU32, FlagsGet } =
  require('netlink')
const GET_FAMILY = 3 // CTRL_CMD_GETFAMILY
const GET = 1, ATTR_PID = 1, TYPE_PID = 1, TYPE_STATS = 3 // include/uapi/linux/taskstats.h

const attribute = (type, data) => Buffer.concat(formatAttribute({ type, data }))
const find = (buffer, wanted) => {
  let found
  parseAttributes(buffer, (a) => { if (a.type === wanted) found = a.data })
  return found
}

async function stats(socket, family, pid) {
  const [answers] = await socket.request(family, GET, 1, attribute(ATTR_PID, putU32(pid)))
  const inside = find(answers[0].data, 4)
  const raw = find(inside, TYPE_STATS)
  console.log('pid right:', find(inside, TYPE_PID).readUInt32LE(0) === pid)
  console.log('version', readU16.call(raw, 0), 'of', raw.length, 'bytes')
}

async function main() {
  const socket = createGenericNetlink()
  const [family] = await socket.ctrlRequest(GET_FAMILY, { familyName: 'TASKSTATS' })
  console.log(family.familyName, family.version, family.ops.map((op) => op.id).join(' '))
  const families = await socket.ctrlRequest(GET_FAMILY, {}, { flags: FlagsGet.DUMP })
  console.log('listed:', families.length > 1, families[0].familyName)
  await socket.ctrlRequest(GET_FAMILY, { familyName: 'NOSUCH' }).catch((error) => {
    console.log('NOSUCH:', error.message)
  })
  await stats(socket, family.familyId, process.pid)
  await stats(socket, family.familyId, 0x7ffffff0).catch((error) => {
    console.log('stats:', error.message)
  })
  socket.socket.close()
}

main().catch((error) => {
  console.log('failed:', error)
  process.exit(1)
})
