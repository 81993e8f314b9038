import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { endianness, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { endsOf, readUnanswered } from '../../../src/lib/tcp-table.ts'

const head =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
const rest = '     0        0 2710500 3 00000000f746527c 163 4 31 1 -1                  \n'
const row = (ends: string, state: string) => `  51: ${ends} ${state}${rest}`
const ends4 = '0100007F:8327 0100007F:B89E'

// The tables are Linux's, and their words stand as the machine keeps them.
const here = process.platform === 'linux' && endianness() === 'LE'

describe.runIf(here)('readUnanswered', () => {
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fleetgate-tcp-'))
  })

  afterEach(async () => {
    await rm(folder, { recursive: true })
  })

  async function read(...tables: string[]) {
    const files = tables.map((_, at) => join(folder, String(at)))
    await Promise.all(files.map((file, at) => writeFile(file, head + tables[at])))
    return [...(await readUnanswered(files))]
  }

  it('finds what is sent again, and how often', async () => {
    const again = '01 00000008:00000000 01:00000082 0000000A'
    expect(await read(row(ends4, again))).toEqual([['33575 127.0.0.1 47262', 10]])
  })

  it.each([
    ['is idle', '01 00000000:00000000 02:000009C1 00000000'],
    ['waits for its first answer', '01 00000008:00000000 01:00000014 00000000'],
    ['has a reader that takes nothing', '01 00000008:00000000 04:00000082 00000003'],
    ['is being opened', '02 00000001:00000000 01:00000082 00000003'],
    ['is listened on', '0A 00000000:00000000 00:00000000 00000000'],
  ])('leaves out what %s', async (_, state) => {
    expect(await read(row(ends4, state))).toEqual([])
  })

  it('reads both tables, and addresses as Node writes them', async () => {
    const again = '01 00000008:00000000 01:00000082 00000001'
    const mapped = '0000000000000000FFFF00000100007F'
    const loopback = '00000000000000000000000001000000'
    const long = 'B80D0120000000000000000001000000'
    const table6 = [mapped, loopback, long]
      .map((ip) => row(`${ip}:0050 ${ip}:01BB`, again))
      .join('')
    expect(await read(row(ends4, again), table6)).toEqual([
      ['33575 127.0.0.1 47262', 1],
      ['80 ::ffff:127.0.0.1 443', 1],
      ['80 ::1 443', 1],
      ['80 2001:db8::1 443', 1],
    ])
  })

  it('reads tables longer than one piece', async () => {
    const table = Array.from({ length: 3000 }, (_, n) => {
      const port = (1024 + n).toString(16).toUpperCase().padStart(4, '0')
      return row(`0100007F:0050 0100007F:${port}`, '01 00000008:00000000 01:00000082 00000002')
    }).join('')
    const found = await read(table)
    expect(found.map(([name]) => name)).toEqual(
      Array.from({ length: 3000 }, (_, n) => `80 127.0.0.1 ${1024 + n}`),
    )
  })

  it('takes a table that is not there for an empty one', async () => {
    expect([...(await readUnanswered([join(folder, 'none')]))]).toEqual([])
  })

  it('reads this machine’s own, where living connections are not in', async () => {
    const server = createServer((socket) => void socket.write('hello')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    await once(socket, 'data')
    expect((await readUnanswered()).has(endsOf(socket))).toBe(false)
    socket.destroy()
    server.close()
  })
})
