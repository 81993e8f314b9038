/** What both ways give the client. */

import { describe, expect, it } from 'vitest'
import { rigCredential } from '../kit/exchange-rig.ts'
import { headersOf, sendRaw } from '../kit/raw-socket.ts'
import { rawAnswer, until } from '../kit/recording-upstream.ts'
import { get, type WayUnderTest } from './ways-kit.ts'

export function whatIsGiven(way: WayUnderTest): void {
  describe('gives the client', () => {
    it('only allow-listed headers, marked private (H20, H22, H23)', async () => {
      way.up.answerWith(
        rawAnswer(200, '{}', {
          'Set-Cookie': 'session=1',
          Server: 'nginx',
          'Cache-Control': 'public, max-age=600',
          'X-Requested-Scope': 'devices:list',
          'X-Request-Id': 'up-1<script>',
          Connection: 'x-secret',
          'X-Secret': '1',
          Trailer: 'X-T',
          'Accept-Ranges': 'bytes',
        }),
      )
      const { text } = await sendRaw(way.rig.port, get())
      const got = headersOf(text)
      expect([...got.keys()].toSorted()).toEqual([
        'access-control-allow-origin',
        'access-control-expose-headers',
        'cache-control',
        'connection',
        'content-length',
        'content-type',
        'date',
        'vary',
        'x-request-id',
        'x-requested-scope',
        'x-upstream-request-id',
      ])
      expect(got.get('cache-control')).toBe('private, no-store')
      expect(got.get('vary')).toBe('Authorization')
      expect(got.get('x-request-id')).toMatch(/^req-\d+$/)
      expect(got.get('x-upstream-request-id')).toBe('up-1script')
      expect(way.rig.outcomes[0]).toMatchObject({
        status: 200,
        upstreamStatus: 200,
        upstreamRequestId: 'up-1script',
        bytes: 2,
        ended: 'answered',
      })
    })

    it('error answers of the cloud as they are', async () => {
      way.up.answerWith(rawAnswer(404, '{"ok":false}', { 'Retry-After': '3' }))
      const answer = await sendRaw(way.rig.port, get())
      expect(answer.status).toBe(404)
      expect(answer.text).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/)
      expect(answer.body).toBe('{"ok":false}')
      expect(headersOf(answer.text).get('retry-after')).toBe('3')
    })

    it('204 without a body', async () => {
      way.up.answerWith('HTTP/1.1 204 No Content\r\n\r\n')
      const answer = await sendRaw(way.rig.port, get('', 'DELETE'))
      expect(answer.status).toBe(204)
      expect(answer.body).toBe('')
      expect(headersOf(answer.text).has('content-length')).toBe(false)
    })

    it('502 for a 204 that brings a body, and drops that socket (S12)', async () => {
      way.up.answerWith('HTTP/1.1 204 OK\r\nContent-Length: 5\r\n\r\nhello')
      const answer = await sendRaw(way.rig.port, get('', 'DELETE'))
      expect(answer.text).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/)
      expect(answer.body).not.toContain('hello')
      await until(() => way.up.connections.every((connection) => connection.closed))
    })

    it('no body to HEAD, whatever the upstream sends (S12, M01)', async () => {
      way.up.answerWith(rawAnswer(200, '{"a":1}'))
      const answer = await sendRaw(way.rig.port, get('', 'HEAD'))
      expect(answer.status).toBe(200)
      expect(answer.body).toBe('')
      expect(headersOf(answer.text).get('content-length')).toBe('7')
      way.up.answerWith(rawAnswer(200, '{"b":2}'))
      const next = await sendRaw(way.rig.port, get())
      expect(next.body).toBe('{"b":2}')
    })

    it.each([401, 407])('502 for a %d: our credential is bad, not the client', async (status) => {
      way.up.answerWith(rawAnswer(status, '{"error":"x"}', { 'WWW-Authenticate': 'Bearer zzz' }))
      const answer = await sendRaw(way.rig.port, get())
      expect(answer.status).toBe(502)
      expect(answer.text).not.toContain('zzz')
      expect(way.rig.outcomes[0]).toMatchObject({
        ended: 'upstream_refused',
        upstreamStatus: status,
      })
    })

    it('502 for a partial answer nobody asked for (H19)', async () => {
      way.up.answerWith(rawAnswer(206, '{"part":1}'))
      const answer = await sendRaw(way.rig.port, get())
      expect(answer.status).toBe(502)
      expect(answer.body).not.toContain('part')
    })

    it('our credential masked in headers and body, length kept (T17)', async () => {
      const body = JSON.stringify({ echo: `Bearer ${rigCredential}`, tail: 'x' })
      way.up.answerWith(
        rawAnswer(200, body, { 'Content-Disposition': `attachment; filename=${rigCredential}` }),
      )
      const answer = await sendRaw(way.rig.port, get())
      expect(answer.status).toBe(200)
      expect(answer.text).not.toContain(rigCredential)
      expect(answer.body).toHaveLength(body.length)
      expect(JSON.parse(answer.body)).toEqual({
        echo: `Bearer ${'*'.repeat(rigCredential.length)}`,
        tail: 'x',
      })
    })

    it('our credential masked where it is split over pieces (T17)', async () => {
      const half = rigCredential.slice(0, 9)
      way.up.use(({ socket }) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n')
        socket.write(`Content-Length: ${rigCredential.length + 4}\r\n\r\nab${half}`)
        setTimeout(() => socket.write(`${rigCredential.slice(9)}cd`), 30)
      })
      const answer = await sendRaw(way.rig.port, get())
      expect(answer.body).toBe(`ab${'*'.repeat(rigCredential.length)}cd`)
    })

    it('redirects of the cloud itself as paths, others without Location (F16)', async () => {
      const redirect = (to: string) => rawAnswer(302, '{}', { Location: to })
      way.up.answerWith(redirect(`${way.up.url}/v1/binaries/1?x=1`))
      expect(headersOf((await sendRaw(way.rig.port, get())).text).get('location')).toBe(
        '/v1/binaries/1?x=1',
      )
      way.up.answerWith(redirect('http://169.254.169.254/latest'))
      const foreign = await sendRaw(way.rig.port, get())
      expect(foreign.status).toBe(302)
      expect(headersOf(foreign.text).has('location')).toBe(false)
    })
  })
}
