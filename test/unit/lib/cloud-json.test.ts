import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { parseCloudJson, parseCloudText, valueAtPath } from '../../../src/lib/cloud-json.ts'

const json = (text: string) => parseCloudJson('application/json', Buffer.from(text))

describe('parseCloudText', () => {
  it('changes no number on its way, wherever it stands and however long', () => {
    const digits = fc.stringMatching(/^-?[1-9][0-9]{0,30}$/)
    const pad = fc.stringMatching(/^[a-z0-9 ,:]{0,40}$/)
    fc.assert(
      fc.property(digits, pad, fc.constantFrom('', ' ', '\n\t'), (number, text, space) => {
        for (const source of [
          `{"p":${JSON.stringify(text)},"n":${space}${number}}`,
          `[${space}${JSON.stringify(text)},${space}${number}]`,
          `[${number},${number}]`,
          number,
        ]) {
          const again = JSON.stringify(parseCloudText(source))
          expect(again).toBe(
            source.replaceAll(/[\n\t]|(?<=[:,[]) (?=["\d-])/g, (found, at: number) =>
              inString(source, at) ? found : '',
            ),
          )
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('leaves text of digits alone', () => {
    expect(parseCloudText('{"iccid":"8901410312345000006","a":1}')).toEqual({
      ...{ iccid: '8901410312345000006', a: 1 },
    })
  })
})

function inString(source: string, at: number): boolean {
  return source.slice(0, at).split('"').length % 2 === 0
}

describe('parseCloudJson', () => {
  it.each([
    ['no type', undefined, '{}'],
    ['HTML', 'text/html', '{}'],
    ['another charset', 'application/json; charset=latin1', '{}'],
    ['a byte order mark', 'application/json', '\ufeff{}'],
    ['two documents', 'application/json', '{}{}'],
    ['nothing', 'application/json', ''],
  ])('refuses %s', (_, type, text) => {
    expect(() => parseCloudJson(type, Buffer.from(text))).toThrow('the answer')
  })

  it('takes JSON by any of its names', () => {
    for (const type of ['application/json', 'application/vnd.x+json; charset="UTF-8"']) {
      expect(parseCloudJson(type, Buffer.from('[1]'))).toEqual([1])
    }
    expect(() => parseCloudJson('application/json', Buffer.from([0x22, 0xff, 0x22]))).toThrow(
      'UTF-8',
    )
  })
})

describe('parseCloudJson of any text', () => {
  it('reads every character, and beside any the numbers that a double cannot hold', () => {
    for (const text of ['plain', 'caf\u00e9 \u00ff', '\u20ac \ud83d\ude00']) {
      const source = `{"text":${JSON.stringify(text)},"n":-12345678901234567890}`
      expect(JSON.stringify(json(source))).toBe(source)
    }
  })
})

describe('valueAtPath', () => {
  it('walks own keys only', () => {
    const root = json('{"a":{"b":[1]},"__proto__":{"c":1},"n":12345678901234567890}')
    expect(valueAtPath(root, '')).toBe(root)
    expect(valueAtPath(root, 'a.b')).toEqual([1])
    for (const path of ['a.b.0', 'a.b.length', 'toString', 'a.constructor', 'c', 'n.rawJSON']) {
      expect(valueAtPath(root, path)).toBeUndefined()
    }
  })
})
