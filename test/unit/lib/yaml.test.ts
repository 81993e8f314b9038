import { describe, expect, it } from 'vitest'
import { readYaml } from '../../../src/lib/yaml.ts'

function read(text: string): unknown {
  const result = readYaml(text, 'f.yaml')
  return result.ok ? result.file.value : undefined
}

function mistakes(text: string): string[] {
  const result = readYaml(text, 'f.yaml')
  return result.ok ? [] : result.mistakes.map((m) => `${m.line}:${m.column} ${m.message}`)
}

describe('readYaml', () => {
  it('C01 C10 keeps every scalar as its source text', () => {
    const text =
      'a: 420032000e47343432313031\nb: 0x14\nc: yes\nd: "1\\u0032"\ne: 1_000\nf: 2026-01-01'
    expect(read(text)).toEqual({
      ...{ a: '420032000e47343432313031', b: '0x14', c: 'yes', d: '12', e: '1_000' },
      f: '2026-01-01',
    })
  })

  it('C12 answers bombs with a mistake, without ending the process', () => {
    const bombs = {
      alias: `a: &a [x]\n${Array.from({ length: 9 }, (_, i) => `b${i}: &b${i} [*a,*a]`).join('\n')}`,
      itself: 'a: &a [*a]',
      brackets: '['.repeat(5000),
      lines: '[\n'.repeat(20_000),
      dashes: `${'- '.repeat(20_000)}a`,
      indents: Array.from({ length: 2000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
      large: `a: ${'x'.repeat(9_000_000)}`,
    }
    for (const [name, text] of Object.entries(bombs)) {
      expect([name, mistakes(text).length > 0]).toEqual([name, true])
    }
    expect(mistakes('a: [[[[x]]]]')).toEqual([])
  })

  it('C13 refuses __proto__ as a key and has no prototype to be reached', () => {
    expect(mistakes('__proto__: {admin: true}')).toEqual(['1:1 "__proto__" is no key'])
    const value = read('constructor: x')
    expect([value, Object.getPrototypeOf(value)]).toEqual([{ constructor: 'x' }, null])
  })

  const silent: Readonly<Record<string, string>> = {
    'an empty file': '',
    'only comments': '# nothing\n',
    'an empty document': '---\n',
    'two documents': 'a: 1\n---\nb: 2',
    'a document after an end': 'a: 1\n...\nb: 2',
    'a merge key': 'x: 1\n<<: {a: 1}',
    'a null rule': 'a:\n  - b\n  -',
    'a key without value': 'a:',
    'a plain null': 'a: ~',
    'a tag of another language': 'a: !!js/function "x"',
    'a bare tag': 'a: ! 1',
    'a tag on a key': '!!int 5: x',
    'an anchor': 'a: &x 1',
    'an anchor on a key': '&x a: 1',
    'an alias as key': 'a: 1\n*a : 2',
    'a duplicate key': 'a: 1\n"a": 2',
    'a list as key': '[a]: 1',
    'YAML 1.1': '%YAML 1.1\n---\na: yes',
    'a tab for an indent': 'a:\n\tb: 1',
  }
  for (const [name, text] of Object.entries(silent)) {
    it(`C14 makes ${name} a mistake`, () => {
      expect(mistakes(text)).not.toEqual([])
    })
  }

  it('finds all mistakes at once, each at its place', () => {
    expect(mistakes('a: ~\nb:\n  - &x c\n  - *x\n')).toEqual([
      '1:4 a value is missing here; write one or delete the key',
      '3:8 anchors (&name) are not taken; write it out',
      '4:5 aliases (*name) are not taken; write it out',
    ])
  })

  it('knows the place of every node, of its key, and of what encloses a missing one', () => {
    const result = readYaml('a:\n  - b: 1\n    c: 2\n', 'f.yaml')
    if (!result.ok) throw new Error('unread')
    expect(result.file.at(['a', 0, 'c'])).toEqual({ line: 3, column: 8 })
    expect(result.file.keyAt(['a', 0, 'c'])).toEqual({ line: 3, column: 5 })
    expect(result.file.at(['a', 0, 'nope', 'x'])).toEqual({ line: 2, column: 5 })
  })
})
