import { describe, expect, it } from 'vitest'
import {
  faultsOf,
  parseDefinition,
  writeDefinition,
} from '../../../../src/admin/users/definition.ts'

const definition = {
  owner: 'o@acme.example',
  product: 12345,
  tags: [],
  more: {},
  rules: [{ can: ['devices:get', 'devices:list'] }, { can: 'x', 'a/b~c': 'y' }],
  never: true,
}

/** The line in which it is written. */
const lineOf = (text: string): number =>
  writeDefinition(definition)
    .split('\n')
    .findIndex((line) => line.includes(text)) + 1

const pointerAt = (line: number) =>
  faultsOf([{ file: 'store:u', line, column: 1, message: 'wrong' }], definition)[0]?.pointer

describe('a definition', () => {
  it('comes back as it was written', () => {
    expect(parseDefinition(writeDefinition(definition))).toEqual(definition)
    expect(() => parseDefinition('[]')).toThrow(/none/)
    expect(() => parseDefinition('{')).toThrow(SyntaxError)
  })

  it.each([
    ['"owner"', '/definition/owner'],
    ['"tags"', '/definition/tags'],
    ['"devices:list"', '/definition/rules/0/can/1'],
    ['"can": "x"', '/definition/rules/1/can'],
    ['a/b~c', '/definition/rules/1/a~1b~0c'],
    ['"never"', '/definition/never'],
  ])('has %s at %s', (text, pointer) => {
    expect(pointerAt(lineOf(text))).toBe(pointer)
  })

  it('is meant as a whole by its first line, and by nothing beyond its last', () => {
    expect(pointerAt(1)).toBe('/definition')
    expect(pointerAt(999)).toBeUndefined()
  })
})
