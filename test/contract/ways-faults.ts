/** What both ways do when the upstream or the client misbehaves. */

import { describe, expect, it } from 'vitest'
import { startFairClock } from '../kit/fair-clock.ts'
import { openRaw } from '../kit/raw-client.ts'
import { headersOf, sendRaw } from '../kit/raw-socket.ts'
import { rawAnswer, until } from '../kit/recording-upstream.ts'
import { get, post, type WayUnderTest } from './ways-kit.ts'

export function whatGoesWrong(way: WayUnderTest): void {
  describe('when the upstream misbehaves', () => {
    it('never shows a truncated answer as a whole one (F04)', async () => {
      way.up.use(({ socket }) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n')
        socket.write('Content-Length: 100\r\n\r\n{"a":"bcdefghi')
        setTimeout(() => socket.resetAndDestroy(), 30)
      })
      const answer = await sendRaw(way.rig.port, get())
      const length = Number(headersOf(answer.text).get('content-length'))
      if (answer.status === 200) expect(answer.body.length).toBeLessThan(length)
      else expect(answer.status).toBe(502)
      await until(() => way.rig.outcomes.length === 1)
      expect(way.rig.outcomes[0]?.ended).not.toBe('answered')
    })

    it('never shows a truncated chunked answer as a whole one (F04)', async () => {
      way.up.use(({ socket }) => {
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
        setTimeout(() => socket.end(), 30)
      })
      const answer = await sendRaw(way.rig.port, get())
      if (answer.status === 200) expect(answer.text).not.toMatch(/0\r\n\r\n$/)
      else expect(answer.status).toBe(502)
      await until(() => way.rig.outcomes.length === 1)
      expect(way.rig.outcomes[0]?.ended).not.toBe('answered')
    })

    it('answers 504 to silence', async () => {
      way.up.use(() => {})
      const answer = await sendRaw(way.rig.port, get())
      expect(answer.status).toBe(504)
      expect(way.rig.outcomes[0]?.ended).toBe('upstream_timeout')
      await until(() => way.up.connections.every((connection) => connection.closed))
    })

    it('answers 502 to a closed door, to garbage and to an early end (A12)', async () => {
      way.up.use(({ socket }) => socket.destroy())
      expect((await sendRaw(way.rig.port, get())).status).toBe(502)
      way.up.answerWith('SSH-2.0-OpenSSH\r\n\r\n')
      expect((await sendRaw(way.rig.port, get())).status).toBe(502)
      way.up.answerWith('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello')
      expect((await sendRaw(way.rig.port, get())).status).toBe(502)
    })

    it('answers 502 to a 101 within a second and keeps no socket (X06)', async () => {
      way.up.answerWith(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
      )
      await using clock = await startFairClock()
      const from = performance.now()
      const answer = await sendRaw(way.rig.port, get())
      expect(await clock.between(from)).toBeLessThan(1000)
      expect(answer.status).toBe(502)
      await until(() => way.up.connections.every((connection) => connection.closed))
    })

    it('does not send a request twice', async () => {
      way.up.answerWith(rawAnswer(200, '{}'))
      await sendRaw(way.rig.port, get())
      way.up.use(({ socket }) => socket.resetAndDestroy())
      const answer = await sendRaw(way.rig.port, post('{"once":1}'))
      expect(answer.status).toBe(502)
      expect(way.up.seen().split('POST ').length - 1).toBe(1)
    })

    it('gives bytes on an idle socket to nobody (S11)', async () => {
      way.up.answerWith(rawAnswer(200, '{"mine":1}'))
      await sendRaw(way.rig.port, get())
      const [first] = way.up.connections
      first?.socket.write(rawAnswer(200, '{"poison":1}'))
      await until(() => first?.closed === true)
      const next = await sendRaw(way.rig.port, get())
      expect(next.body).toBe('{"mine":1}')
    })

    it('gives a second answer behind the first to nobody (S11)', async () => {
      way.up.answerWith(rawAnswer(200, '{"mine":1}') + rawAnswer(200, '{"poison":1}'))
      const [one, two] = [await sendRaw(way.rig.port, get()), await sendRaw(way.rig.port, get())]
      expect([one.body, two.body]).toEqual(['{"mine":1}', '{"mine":1}'])
    })

    it('reuses an upstream connection that behaved', async () => {
      way.up.answerWith(rawAnswer(200, '{}'))
      for (let i = 0; i < 3; i += 1) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other is what is tested
        await sendRaw(way.rig.port, get())
      }
      expect(way.up.connections).toHaveLength(1)
    })
  })

  it('aborts upstream within a second when the client goes (F12)', async () => {
    way.up.use(() => {})
    await using clock = await startFairClock()
    using client = openRaw(way.rig.port)
    client.send(get())
    await until(() => way.up.connections[0]?.heads === 1)
    client.reset()
    const closed = clock.until(() => way.up.connections[0]?.closed === true)
    expect(await closed).toBeLessThan(1000)
    expect(way.up.connections).toHaveLength(1)
    await until(() => way.rig.outcomes.length === 1)
    expect(way.rig.outcomes[0]).toMatchObject({ status: 0, ended: 'client_gone' })
  })

  it('answers 400 to a body that is shorter than it says, and upstream has no whole request (S09)', async () => {
    way.up.use(() => {})
    const answer = await sendRaw(
      way.rig.port,
      'POST /v1/x HTTP/1.1\r\nHost: gate\r\nContent-Length: 100\r\n\r\nhalf',
      { halfClose: true },
    )
    expect([400, 0]).toContain(answer.status)
    await until(() => way.up.connections.every((connection) => connection.closed))
    await until(() => way.rig.outcomes.length === 1)
    expect(way.rig.rejects).toHaveLength(0)
  })

  it('answers 400 to a chunked body that breaks the protocol, counted once (S03, S06)', async () => {
    way.up.use(() => {})
    const answer = await sendRaw(
      way.rig.port,
      'POST /v1/x HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked\r\n\r\n2;a=\nb\r\n{}\r\n0\r\n\r\n',
    )
    expect(answer.status).toBe(400)
    await until(() => way.rig.outcomes.length + way.rig.rejects.length === 1)
    await until(() => way.up.connections.every((connection) => connection.closed))
    expect(way.up.seen()).not.toContain('0\r\n\r\n')
  })
}
