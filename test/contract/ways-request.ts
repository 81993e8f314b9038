/** What both ways send upstream. */

import { describe, expect, it } from 'vitest'
import { rigCredential } from '../kit/exchange-rig.ts'
import { headersOf, sendRaw } from '../kit/raw-socket.ts'
import { rawAnswer, until } from '../kit/recording-upstream.ts'
import { get, post, type WayUnderTest } from './ways-kit.ts'

export function whatIsSent(way: WayUnderTest): void {
  describe('sends upstream', () => {
    it('exactly the rebuilt request with our credential and host', async () => {
      way.up.answerWith(rawAnswer(200, '{"ok":true}'))
      const answer = await sendRaw(way.rig.port, get('Authorization: Bearer client-token\r\n'))
      expect(answer.status).toBe(200)
      expect(answer.body).toBe('{"ok":true}')
      const seen = headersOf(way.up.seen())
      expect(way.up.seen()).toMatch(/^GET \/v1\/devices\?a=b HTTP\/1\.1\r\n/)
      expect(seen.get('authorization')).toBe(`Bearer ${rigCredential}`)
      expect(seen.get('host')).toBe(`127.0.0.1:${way.up.port}`)
      expect(seen.get('accept-encoding')).toBe('identity')
      expect(way.up.seen()).not.toContain('client-token')
      expect([...seen.keys()].toSorted()).toEqual([
        'accept-encoding',
        'authorization',
        'connection',
        'host',
      ])
    })

    it('allow-listed headers, and none that Connection names (H04)', async () => {
      way.up.answerWith(rawAnswer(200, '{}'))
      await sendRaw(
        way.rig.port,
        'GET / HTTP/1.1\r\nHost: gate\r\nUser-Agent: agent/1\r\nX-Particle-Tool: cli\r\n' +
          'X-User: evil\r\nConnection: close, authorization, x-particle-tool\r\n\r\n',
      )
      const seen = headersOf(way.up.seen())
      expect(seen.get('user-agent')).toBe('agent/1')
      expect(seen.has('x-particle-tool')).toBe(false)
      expect(seen.has('x-user')).toBe(false)
      expect(seen.get('authorization')).toBe(`Bearer ${rigCredential}`)
    })

    it.each([
      ['H06 underscore aliases', 'X_Forwarded_For: 1\r\nAuthorization_: z\r\n'],
      ['H08 spoofed forwarding', 'X-Forwarded-Host: evil\r\nForwarded: for=1\r\n'],
      ['H09 original url', 'X-Original-URL: /evil\r\nX-Rewrite-URL: /evil\r\n'],
      ['H15 prototype names', '__proto__: evil\r\nconstructor: evil\r\nhasOwnProperty: z\r\n'],
      ['H18 encoding steering', 'Accept-Encoding: x-gzip, zstd\r\n'],
      ['H19 ranges', 'Range: bytes=0-60\r\nIf-Range: x\r\n'],
      ['H20 cookies', 'Cookie: session=evil\r\n'],
      ['H23 proxy leftovers', 'Proxy-Authorization: z\r\nTE: trailers\r\nVia: z\r\n'],
      ['M05 verb tunnelling', 'X-HTTP-Method-Override: DELETE\r\n'],
      ['X07 h2c', 'HTTP2-Settings: AAMA\r\n'],
    ])('nothing of %s', async (_, headers) => {
      way.up.answerWith(rawAnswer(200, '{}'))
      const answer = await sendRaw(way.rig.port, get(headers))
      expect(answer.status).toBe(200)
      expect([...headersOf(way.up.seen()).keys()].toSorted()).toEqual([
        'accept-encoding',
        'authorization',
        'connection',
        'host',
      ])
      expect(way.up.seen()).not.toMatch(/evil|x-gzip/)
    })

    it('a body framed by its true length', async () => {
      way.up.answerWith(rawAnswer(200, '{}'))
      await sendRaw(way.rig.port, post('{"a":1}'))
      await until(() => way.up.seen().endsWith('{"a":1}'))
      expect(headersOf(way.up.seen()).get('content-length')).toBe('7')
      expect(headersOf(way.up.seen()).has('transfer-encoding')).toBe(false)
    })

    it('no trailers of the client (H24)', async () => {
      way.up.answerWith(rawAnswer(200, '{}'))
      await sendRaw(
        way.rig.port,
        'POST /v1/x HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked\r\n' +
          'Trailer: Authorization\r\nConnection: close\r\n\r\n' +
          '2\r\n{}\r\n0\r\nAuthorization: Bearer evil\r\n\r\n',
      )
      await until(() => way.up.seen().includes('{}'))
      expect(way.up.seen()).not.toMatch(/evil|trailer/i)
    })

    it('no Expect, and the client hears 100 only when its body is wanted (X01)', async () => {
      way.up.answerWith(rawAnswer(200, '{}'))
      const answer = await sendRaw(way.rig.port, post('{"a":1}', 'Expect: 100-continue\r\n'))
      expect(answer.text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
      await until(() => way.up.seen().endsWith('{"a":1}'))
      expect(headersOf(way.up.seen()).has('expect')).toBe(false)
      expect(headersOf(way.up.seen()).get('authorization')).toBe(`Bearer ${rigCredential}`)
    })

    it('nothing under an odd transfer coding (S04)', async () => {
      const answer = await sendRaw(
        way.rig.port,
        'POST /v1/x HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
      )
      expect(answer.status).toBe(501)
      expect(way.up.seen()).toBe('')
      expect(way.rig.outcomes).toHaveLength(1)
    })

    it('nothing under two Hosts (H13)', async () => {
      const answer = await sendRaw(way.rig.port, get('Host: evil\r\n'))
      expect(answer.status).toBe(400)
      expect(way.up.seen()).toBe('')
    })

    it('nothing of an encoded body (B07)', async () => {
      const answer = await sendRaw(way.rig.port, post('{"a":1}', 'Content-Encoding: gzip\r\n'))
      expect(answer.status).toBe(415)
      expect(way.up.seen()).toBe('')
    })
  })
}
