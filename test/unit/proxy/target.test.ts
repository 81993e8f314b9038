import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { Problem } from '../../../src/domain/problem.ts'
import { canonicalTarget, encodeQuery, encodeSegment } from '../../../src/proxy/target.ts'
import { cpuMs } from '../../kit/cpu-time.ts'

function codeOf(target: string): string {
  try {
    canonicalTarget(target)
    return 'taken'
  } catch (error) {
    return error instanceof Problem ? error.code : `threw ${String(error)}`
  }
}

function encode({ segments, query }: ReturnType<typeof canonicalTarget>): string {
  return `/${segments.map(encodeSegment).join('/')}${encodeQuery(query)}`
}

const refused: Readonly<Record<string, readonly string[]>> = {
  'P01 dot segments': ['/v1/devices/MINE/../OTHER', '/v1/./devices', '/..', '/.', '/v1/..'],
  'P02 encoded dots': ['/v1/devices/%2e%2e/orgs', '/v1/.%2E/x', '/v1/%2e/x'],
  'P03 encoded slashes around dots': [
    '/v1/devices/MINE%2f..%2fOTHER',
    '/v1/a%2F.',
    '/v1/..%2Fb',
    '/v1/devices/MINE%2F%2e%2E%2FOTHER',
  ],
  'P04 double encoding': [
    '/v1/devices/MINE%252f..%252fOTHER',
    '/v1/%252e%252e',
    '/v1/%25252e',
    '/v1/%25%32%65',
    '/v1/x?q=%2541',
  ],
  'P05 backslashes': ['/v1/devices/MINE\\..\\OTHER', '/v1/%5c..%5c', '/v1/x?q=%5C'],
  'P06 path parameters': ['/v1/devices/MINE;x=1/..;/OTHER', '/v1/..%3B/OTHER', '/v1/a%2F..%3bx'],
  'P08 fragments': ['/v1/devices/MINE#/../OTHER', '/v1/x?q=1#y', '/#'],
  'P09 absolute form': ['http://x/v1/devices/MINE', 'v1/devices', 'HTTP://x/'],
  'P11 an authority after two slashes': ['//evil/v1/devices', '///v1/devices', '//'],
  'P12 empty segments': ['/v1//devices///OTHER', '/v1/devices//', '/v1/?x=1&&y=2'],
  'P15 NUL': ['/v1/devices/MINE%00', '/v1/%00.json', '/v1/x?q=a%00'],
  'P16 bad percent signs and overlong UTF-8': [
    ...['/v1/orgs/%zz/x', '/v1/%', '/v1/%4', '/v1/%c0%af', '/v1/%ff', '/v1/%ed%a0%80'],
    ...['/v1/x?q=%zz', '/v1/x?%ff=1'],
  ],
  'P24 the asterisk form': ['*', ''],
  'P25 raw bytes': ['/v1/a b', '/v1/a\tb', '/v1/\u00e9', '/v1/\u007f', '/v1/x?q=\u0080', '/v1/%7f'],
  'T02 a key that comes twice': [
    '/v1/x?access_token=U&access_token=x',
    '/v1/x?access_token=U&access%5Ftoken=x',
  ],
  'T04 more parameters than are looked at': [
    `/v1/x?${Array.from({ length: 1000 }, (_, i) => `a${i}=1`).join('&')}&access_token=x`,
  ],
  'T06 keys near the credential': [
    ...['/v1/x?access_token[]=U', '/v1/x?access_token%00=U', '/v1/x?a=1;access_token=U'],
    ...['/v1/x??access_token=U', '/v1/x?a[access_token]=U', '/v1/x?=U', '/v1/x?access_token%20=U'],
  ],
}

describe('canonicalTarget', () => {
  for (const [name, targets] of Object.entries(refused)) {
    it(`${name}: 400 ambiguous_target`, () => {
      for (const target of targets)
        expect([target, codeOf(target)]).toEqual([target, 'ambiguous_target'])
    })
  }

  it('P14 drops one trailing slash, keeps a trailing dot or space for the grammars to judge', () => {
    expect(canonicalTarget('/v1/devices/')).toEqual(canonicalTarget('/v1/devices'))
    expect(canonicalTarget('/v1/x./').segments).toEqual(['v1', 'x.'])
    expect(canonicalTarget('/v1/x%20').segments).toEqual(['v1', 'x '])
    expect(codeOf('/v1/..%20')).toBe('ambiguous_target')
  })

  it('takes the bare root as a path of no segments', () => {
    expect(canonicalTarget('/')).toEqual({ segments: [], query: [] })
    expect(canonicalTarget('/?a=1')).toEqual({ segments: [], query: [{ key: 'a', value: '1' }] })
  })

  it('P13 keeps the letter case of a path', () => {
    expect(canonicalTarget('/V1/Devices').segments).toEqual(['V1', 'Devices'])
  })

  it('P21 keeps an encoded slash inside its segment and writes it back byte for byte', () => {
    const target = canonicalTarget('/v1/products/1337/events/spark%2Fstatus')
    expect(target.segments.at(-1)).toBe('spark/status')
    expect(encode(target)).toBe('/v1/products/1337/events/spark%2Fstatus')
    expect(canonicalTarget('/v1/team/x+abc@api.example.com').segments.at(-1)).toBe(
      'x+abc@api.example.com',
    )
  })

  it('P26 refuses a path of 3000 segments and one of 15 KB at once', async () => {
    const cost = await cpuMs(() => {
      expect(codeOf('/a'.repeat(3000))).toBe('ambiguous_target')
      expect(codeOf(`/${'a-'.repeat(7500)}`)).toBe('ambiguous_target')
      expect(codeOf(`/${'%41'.repeat(2700)}`)).toBe('taken')
    })
    expect(cost).toBeLessThan(50)
  })

  it('T03 reads a key by what it decodes to', () => {
    expect(canonicalTarget('/v1/x?access%5Ftoken=U').query).toEqual([
      { key: 'access_token', value: 'U' },
    ])
  })

  it('T06 keeps another letter case of a key apart', () => {
    expect(canonicalTarget('/v1/x?ACCESS_TOKEN=U&access_token=x').query).toHaveLength(2)
  })

  it('reads a plus as a space in a query and as itself in a path', () => {
    expect(canonicalTarget('/a+b?q=a+b&e')).toEqual({
      segments: ['a+b'],
      query: [
        { key: 'q', value: 'a b' },
        { key: 'e', value: '' },
      ],
    })
  })

  it('is a fixpoint: what it read, written again, is read the same', () => {
    const unit = fc.constantFrom(
      ...[
        'a',
        'Z',
        '0',
        '.',
        '..',
        '/',
        '%2F',
        '%2f',
        '%2e',
        '%25',
        '%',
        '%5c',
        ';',
        '%3B',
        '+',
        '%20',
      ],
      ...[
        '?',
        '&',
        '=',
        '-',
        '_',
        '@',
        ':',
        '%C3%A9',
        '%E4%B8%AD',
        '%00',
        '~',
        "'",
        '(',
        '%41',
        '%5F',
      ],
    )
    const raw = fc.array(unit, { maxLength: 14 }).map((units) => `/${units.join('')}`)
    let taken = 0
    fc.assert(
      fc.property(raw, (target) => {
        if (codeOf(target) !== 'taken') return
        taken += 1
        const canonical = canonicalTarget(target)
        expect(canonicalTarget(encode(canonical))).toEqual(canonical)
      }),
      { numRuns: 3000 },
    )
    expect(taken).toBeGreaterThan(100)
  })

  it('gives two spellings of one path one form, or refuses the odd one', () => {
    const text = fc.string({
      unit: fc.constantFrom(...Array.from('abZ09-_.~/@+é中 ')),
      minLength: 1,
      maxLength: 8,
    })
    const spell = (segment: string, odd: readonly boolean[]) =>
      Array.from(new TextEncoder().encode(segment), (byte, i) => {
        const hex = `%${byte.toString(16).padStart(2, '0')}`
        const plain = /[A-Za-z0-9\-_.~]/.test(String.fromCharCode(byte)) && byte < 128
        return plain && odd[i % odd.length] !== true ? String.fromCharCode(byte) : hex
      }).join('')
    const odd = fc.array(fc.boolean(), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 3 }), odd, odd, (segments, a, b) => {
        const one = `/${segments.map((segment) => spell(segment, a)).join('/')}`
        const two = `/${segments.map((segment) => spell(segment, b)).join('/')}`
        expect(codeOf(one)).toBe(codeOf(two))
        if (codeOf(one) === 'taken') {
          expect(canonicalTarget(one).segments).toEqual(segments)
          expect(encode(canonicalTarget(one))).toBe(encode(canonicalTarget(two)))
        }
      }),
      { numRuns: 1000 },
    )
  })
})
