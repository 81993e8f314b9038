import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { Problem } from '../../../src/domain/problem.ts'
import { readBody } from '../../../src/proxy/body.ts'
import { readParts } from '../../../src/proxy/parts.ts'
import { FakeExchange } from '../../kit/fakes.ts'
import { cpuMs } from '../../kit/cpu-time.ts'

const spec = { kind: 'parts', texts: ['file'], fields: ['import_sims', 'claim_user'] } as const
const end = '--B--\r\n'
const file = (text: string, more = '', name = 'file') =>
  `--B\r\nContent-Disposition: form-data; name="${name}"; filename="ids.txt"\r\n${more}\r\n${text}\r\n`
const field = (name: string, value: string) =>
  `--B\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`

function read(body: string | Buffer, boundary = 'B') {
  return readParts(Buffer.from(body), spec, boundary)
}

function outcome(body: string | Buffer): unknown {
  try {
    return read(body).keys
  } catch (error) {
    return error instanceof Problem ? error.code : `threw ${String(error)}`
  }
}

describe('readParts', () => {
  it('sees a file as the list of its lines and a field as its text', () => {
    const body = file('a1\r\nb2\r\n', 'Content-Type: text/plain\r\n') + field('claim_user', 'x y')
    expect(outcome(body + end)).toEqual({ file: ['a1', 'b2'], claim_user: 'x y' })
    for (const text of ['a1\nb2', 'a1\nb2\n', 'a1\r\nb2', 'a1\nb2\r\n']) {
      expect([text, outcome(file(text) + end)]).toEqual([text, { file: ['a1', 'b2'] }])
    }
  })

  it('B03 sends on what it understood, with a boundary of its own', () => {
    const { bytes, sentAs } = read(field('claim_user', '--x') + file('a1\r\nb2') + end)
    const boundary = sentAs.replace('multipart/form-data; boundary=', '')
    expect(boundary).toMatch(/^fleetgate-[0-9a-f]{40}$/)
    expect(bytes.toString()).toBe(
      `--${boundary}\r\nContent-Disposition: form-data; name="claim_user"\r\n\r\n--x\r\n` +
        `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="file.txt"\r\n` +
        `Content-Type: text/plain; charset=utf-8\r\n\r\na1\nb2\n\r\n--${boundary}--\r\n`,
    )
  })

  it.each([
    ['no file', field('claim_user', 'x') + end],
    ['an empty file', file('') + end],
    ['a file of one line break', file('\n') + end],
    ['B01 a file twice', file('a') + file('b') + end],
    ['B01 a field twice', file('a') + field('claim_user', 'x') + field('claim_user', 'y') + end],
    ['an undeclared field', file('a') + field('owner', 'x') + end],
    ['an undeclared file', file('a') + file('b', '', 'files') + end],
    ['a file name in other case', file('a', '', 'File') + end],
    ['a file as a field', field('file', 'a') + end],
    ['a field as a file', file('a') + file('x', '', 'claim_user') + end],
    ['T05 a token', file('a') + field('access_token', 'U') + end],
    ['B03 a blank line', file('a\n\nb') + end],
    ['B03 two last line breaks', file('a\n\n') + end],
    ['B03 a space around a value', file('a\n b') + end],
    ['B03 two values on a line', file('a b') + end],
    ['B03 a tab', file('a\tb') + end],
    ['B03 a carriage return alone', file('a\rb') + end],
    ['B03 a last carriage return alone', file('a\nb\r') + end],
    ['B03 a line separator', file('a\u2028b') + end],
    ['B03 a no-break space', file('a\u00a0b') + end],
    ['B03 a zero-width space', file('a\u200bb') + end],
    ['B03 a NUL', file('a\0') + end],
    ['B05 a byte order mark', file('\ufeffa') + end],
    ['B05 a nested multipart', file('a', 'Content-Type: multipart/mixed; boundary=C\r\n') + end],
    ['B05 another charset', file('a', 'Content-Type: text/plain; charset=utf-16\r\n') + end],
    ['B07 an encoded part', file('YQ==', 'Content-Transfer-Encoding: base64\r\n') + end],
    ['B08 a part hidden in a value', file('a\n--B\nContent-Disposition: x') + end],
    ['a line break in a field', file('a') + field('claim_user', 'x\ny') + end],
    ['a preamble', `x\r\n${file('a')}${end}`],
    ['an epilogue', `${file('a')}${end}x`],
    ['no end', file('a')],
  ])('refuses %s', (_, body) => {
    expect(outcome(body)).toBe('invalid_body')
  })

  it('B05 refuses what is not UTF-8', () => {
    const bytes = Buffer.from(file('a|') + end, 'latin1')
    bytes[bytes.indexOf('|')] = 0xff
    expect(outcome(bytes)).toBe('invalid_body')
  })

  it('reads back what it wrote as the same', () => {
    const value = fc.stringMatching(/^[!-~]{1,40}$/)
    const text = fc.string({ unit: fc.constantFrom(...Array.from('a-B \'";=é中')) })
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 20 }),
        fc.option(text, { nil: undefined }),
        (lines, claim) => {
          fc.pre(!lines.some((line) => line.includes('--B')) && claim?.includes('--B') !== true)
          const first = read(
            (claim === undefined ? '' : field('claim_user', claim)) + file(lines.join('\n')) + end,
          )
          expect(first.keys).toEqual({
            file: lines,
            ...(claim !== undefined && { claim_user: claim }),
          })
          const boundary = first.sentAs.replace(/.*=/, '')
          const again = readParts(first.bytes, spec, boundary)
          expect(again.keys).toEqual(first.keys)
          expect(again.bytes.equals(first.bytes)).toBe(true)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('writes what another reader of multipart bodies understands as it was decided', async () => {
    const value = fc.stringMatching(/^[!-~]{1,30}$/)
    const lines = fc.array(value, { minLength: 1, maxLength: 9 })
    await fc.assert(
      fc.asyncProperty(lines, value, async (ids, claim) => {
        fc.pre(!`${ids.join()}${claim}`.includes('--B'))
        const body = file(ids.join('\r\n')) + field('claim_user', claim) + end
        const { bytes, sentAs } = read(body)
        const headers = { 'content-type': sentAs }
        const form = await new Response(new Uint8Array(bytes), { headers }).formData()
        expect([...form.keys()]).toEqual(['file', 'claim_user'])
        expect(form.get('claim_user')).toBe(claim)
        const sent = form.get('file')
        expect(sent instanceof File ? await sent.text() : sent).toBe(`${ids.join('\n')}\n`)
      }),
      { numRuns: 200 },
    )
  })

  it('B09 takes as many lines as it says, and looks at none where there are more', () => {
    const head = file('').split('\n').length + end.split('\n').length - 3
    const lines = (count: number, line = 'a') => file(Array(count).fill(line).join('\n')) + end
    const most = 20_000 - head
    expect(outcome(lines(most))).toMatchObject({ file: { length: most } })
    expect(outcome(lines(most + 1))).toBe('payload_too_large')
    expect(outcome(lines(most, ' '))).toBe('invalid_body')
    expect(outcome(lines(most + 1, ' '))).toBe('payload_too_large')
  })

  it('reads ten thousand lines at the pace of a body of that size', async () => {
    const lines = Array.from({ length: 10_000 }, (_, i) => i.toString(16).padStart(24, '0'))
    const cost = await cpuMs(() => {
      const { keys } = read(file(lines.join('\n')) + end)
      expect(keys['file']).toEqual(lines)
    })
    expect(cost).toBeLessThan(500)
  })
})

describe('a body of parts', () => {
  const place = { name: 'access_token', taken: false }
  const type = { 'content-type': 'multipart/form-data; boundary=B' }

  it('is told from others by its content type, and sent on under another', async () => {
    const exchange = new FakeExchange('POST /', type, file('a') + end)
    const body = await readBody(exchange, spec, place)
    expect(body).toMatchObject({ contentType: 'multipart/form-data', keys: { file: ['a'] } })
    expect(body.sentAs).toMatch(/^multipart\/form-data; boundary=fleetgate-/)
    expect(body.guard).toEqual({ kind: 'none' })
  })

  it('needs a boundary, and to be there', async () => {
    const none = new FakeExchange('POST /', { 'content-type': 'multipart/form-data' }, end)
    await expect(readBody(none, spec, place)).rejects.toMatchObject({ code: 'invalid_body' })
    const empty = new FakeExchange('POST /', type)
    expect(() => readBody(empty, spec, place)).toThrow('invalid_body')
    const other = new FakeExchange('POST /', { 'content-type': 'multipart/mixed; boundary=B' }, end)
    await expect(readBody(other, spec, place)).rejects.toMatchObject({
      code: 'unsupported_media_type',
    })
  })
})
