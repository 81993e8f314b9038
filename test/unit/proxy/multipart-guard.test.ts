import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { Problem } from '../../../src/domain/problem.ts'
import { createMultipartGuard } from '../../../src/proxy/multipart-guard.ts'

const declared = { files: ['file', 'file*'], fields: ['version', 'title'], products: [] }

function verdict(body: string | Buffer, sizes: readonly number[] = []): 'ok' | 'refused' {
  const guard = createMultipartGuard({ kind: 'multipart', boundary: 'B', ...declared })
  const bytes = Buffer.from(body)
  try {
    let at = 0
    for (const size of [...sizes, bytes.length]) {
      if (at < bytes.length) guard.inspect(bytes.subarray(at, at + size))
      at += size
    }
    guard.end()
    return 'ok'
  } catch (error) {
    if (error instanceof Problem && error.code === 'invalid_body') return 'refused'
    throw error
  }
}

const part = (disposition: string, content = 'x', more = '') =>
  `--B\r\nContent-Disposition: ${disposition}\r\n${more}\r\n${content}\r\n`
const end = '--B--\r\n'
const file = part('form-data; name="file"; filename="a.bin"', 'binary\0', 'Content-Type: a/b\r\n')
const version = part('form-data; name="version"', '3')

const good: [string, string][] = [
  ['a file and a field', file + version + end],
  ['numbered files', part('form-data; name="file12"; filename="a"') + end],
  ['an empty part', part('form-data; name="version"', '') + end],
  ['no line break after the end', version + '--B--'],
  ['bare token parameters', part('form-data; name=version') + end],
  [
    'content like a boundary but for one byte',
    part('form-data; name="title"', '\r\n--A\r\n--') + end,
  ],
]

const bad: [string, string][] = [
  ['an undeclared field', part('form-data; name="owner"') + end],
  ['an undeclared file', part('form-data; name="binary"; filename="x"') + end],
  ['a declared field as a file', part('form-data; name="version"; filename="x"') + end],
  ['a declared file as a field', part('form-data; name="file"') + end],
  ['T05 a token', part('form-data; name="access_token"', 'fg_u_x') + end],
  ['T05 a token in another case', part('form-data; name="Access_Token"') + end],
  ['a repeated field', version + version + end],
  ['a repeated parameter', part('form-data; name="version"; name="owner"') + end],
  ['an extended file name', part(`form-data; name="file"; filename*=UTF-8''x`) + end],
  ['an extended name', part(`form-data; name*=UTF-8''access_token; name="version"`) + end],
  ['an unknown parameter', part('form-data; name="version"; size=3') + end],
  ['an escaped quote', part(String.raw`form-data; name="version\"; x=\""`) + end],
  ['a backslash at the end', part(String.raw`form-data; name="file"; filename="a\"`) + end],
  ['no name', part('form-data') + end],
  ['an empty name', part('form-data; name=""') + end],
  ['another disposition', part('attachment; name="version"') + end],
  [
    'two dispositions',
    part('form-data; name="version"\r\nContent-Disposition: form-data; name="x"') + end,
  ],
  ['no disposition', '--B\r\nContent-Type: a/b\r\n\r\nx\r\n' + end],
  ['a folded header', part('form-data;\r\n name="version"') + end],
  ['an unknown part header', part('form-data; name="version"', 'x', 'X-A: b\r\n') + end],
  [
    'an encoded part',
    part('form-data; name="version"', 'x', 'Content-Transfer-Encoding: base64\r\n') + end,
  ],
  [
    'B10 a carriage return in a file name',
    part('form-data; name="file"; filename="a\rY: z"') + end,
  ],
  ['B10 a line feed in a file name', part('form-data; name="file"; filename="a\nY: z"') + end],
  ['a control character in a file name', part('form-data; name="file"; filename="a\u0001"') + end],
  [
    'a part head of bare line feeds',
    '--B\nContent-Disposition: form-data; name="version"\n\nx\n--B--\n',
  ],
  ['a hidden part behind a bare line feed', part('form-data; name="title"', 'x\n--B\nb') + end],
  [
    'a hidden part behind a bare carriage return',
    part('form-data; name="title"', 'x\r--B\r') + end,
  ],
  ['a boundary that goes on', part('form-data; name="title"', 'x\r\n--BB\r\n') + end],
  [
    'padding behind a boundary',
    '--B \r\nContent-Disposition: form-data; name="version"\r\n\r\nx\r\n' + end,
  ],
  ['a preamble', 'hello\r\n' + version + end],
  ['an epilogue', version + end + 'hello'],
  ['no end', version],
  ['half an end', version + '--B-'],
  ['a line break half there', version + '--B--\r'],
  ['another boundary', version.replaceAll('--B', '--C') + '--C--'],
  ['nothing', ''],
  ['a head without end', '--B\r\nContent-Disposition: form-data; name="version"'],
  [
    'a head over its bound',
    part('form-data; name="file"; filename="' + 'a'.repeat(17_000) + '"') + end,
  ],
]

describe('createMultipartGuard', () => {
  it.each(good)('lets pass %s', (_, body) => {
    expect(verdict(body)).toBe('ok')
  })

  it.each(bad)('refuses %s', (_, body) => {
    expect(verdict(body)).toBe('refused')
  })

  it('comes to the same verdict however the body is split', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...good, ...bad),
        fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 60 }),
        ([, body], sizes) => {
          expect(verdict(body, sizes)).toBe(verdict(body))
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('comes to the same verdict byte by byte', () => {
    for (const [name, body] of [...good, ...bad]) {
      const bytes = Array.from({ length: Buffer.byteLength(body) }, () => 1)
      expect([name, verdict(body, bytes)]).toEqual([name, verdict(body)])
    }
  })

  it.each(['', 'a b', 'a\r\nb', 'a"b', 'a'.repeat(71), 'é'])(
    'refuses the boundary %j',
    (boundary) => {
      expect(() => createMultipartGuard({ kind: 'multipart', boundary, ...declared })).toThrow(
        'invalid_body',
      )
    },
  )
})

describe('a product in an upload', () => {
  const product = (id: string) => part('form-data; name="product"', id)

  function outcome(body: string, size: number, isInReach?: (id: string) => boolean): string {
    const spec = { ...declared, products: ['product'] }
    const guard = createMultipartGuard({
      ...{ kind: 'multipart', boundary: 'B', ...spec },
      ...(isInReach !== undefined && { isInReach }),
    })
    const bytes = Buffer.from(body)
    try {
      for (let at = 0; at < bytes.length; at += size) guard.inspect(bytes.subarray(at, at + size))
      guard.end()
      return 'ok'
    } catch (error) {
      return Problem.from(error).code
    }
  }
  const mine = (id: string) => id === '12345'

  it.each([1, 3, 1000])('goes on where it is in reach, in pieces of %i', (size) => {
    expect(outcome(file + product('12345') + end, size, mine)).toBe('ok')
    expect(outcome(product('12345') + file + end, size, mine)).toBe('ok')
    expect(outcome(file + end, size, mine)).toBe('ok')
  })

  it.each([
    ['another', '12346'],
    ['none', ''],
    ['a longer one', '123456'],
    ['one more behind it', '12345\r\n12346'],
    ['space around it', ' 12345'],
    ['a line break behind it', '12345\r\n'],
    ['something without end', '1'.repeat(10_000)],
  ])('ends the body with 403 where it is %s', (_, id) => {
    for (const size of [1, 3, 100_000]) {
      expect(outcome(file + product(id) + end, size, mine)).toBe('forbidden')
    }
  })

  it('ends it where nobody can say what is in reach', () => {
    expect(outcome(product('12345') + end, 1000)).toBe('forbidden')
  })

  it.each([
    ['comes twice', product('12345') + product('12345') + end],
    ['comes as a file', part('form-data; name="product"; filename="x"', '12345') + end],
    ['is cut short', product('12345')],
    [
      'has a boundary in its line',
      '--B\r\nContent-Disposition: form-data; name="product"\r\n\r\n12345--B--',
    ],
  ])('is refused where it %s', (_, body) => {
    expect(outcome(body, 1, (id) => '12345'.startsWith(id))).toBe('invalid_body')
  })
})
