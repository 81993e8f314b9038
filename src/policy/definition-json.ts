/** JSON that an operator wrote, read like a policy file: scalars stay source text, and every value keeps its place. */

import type { Mistake } from '../lib/mistake.ts'
import type { Place, YamlFile, YamlValue } from '../lib/yaml.ts'

/** Without white space between its words: what an operator sent, however it is laid out here. */
const MAX_DEFINITION_BYTES = 64 * 1024
const MAX_LAID_OUT = 64 * MAX_DEFINITION_BYTES
/** Nobody reads more, and each costs a look for its place. */
const MAX_MISTAKES = 100
/** What terminals obey, what nobody sees, and what turns the reading direction. */
const INVISIBLE = /\p{C}/u
const MAX_DEPTH = 40

type Node = {
  value: YamlValue
  offset: number
  keyOffset: number
  inner: Map<PropertyKey, Node>
}

/** No nulls, duplicate keys, broken or invisible characters; at most 64 KB. */
export function readDefinition(
  text: string,
  file: string,
): { ok: true; file: YamlFile } | { ok: false; mistakes: Mistake[] } {
  const mistakes: Mistake[] = []
  const placeAt = linesOf(text)
  const mistake = (offset: number, message: string): void => {
    if (mistakes.length < MAX_MISTAKES) mistakes.push({ file, ...placeAt(offset), message })
  }
  const root = read(text, mistake)
  if (root === undefined || mistakes.length > 0) return { ok: false, mistakes }
  return {
    ok: true,
    file: {
      file,
      value: root.value,
      at: (path) => placeAt(find(root, path).offset),
      keyAt: (path) => placeAt(find(root, path).keyOffset),
    },
  }
}

type Report = (offset: number, message: string) => void

function read(text: string, mistake: Report): Node | undefined {
  const tooLarge = `the definition is larger than ${MAX_DEFINITION_BYTES} bytes; use roles`
  if (text.length > MAX_LAID_OUT) {
    mistake(0, tooLarge)
    return undefined
  }
  if (!text.isWellFormed()) {
    mistake(0, 'the definition has half a character')
    return undefined
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    mistake(faultIn(text, error), 'the definition is no JSON; what stands here does not fit')
    return undefined
  }
  if (isLarge(text) && isLarge(JSON.stringify(value))) {
    mistake(0, tooLarge)
    return undefined
  }
  return readTree(text, mistake)
}

function isLarge(text: string): boolean {
  return Buffer.byteLength(text) > MAX_DEFINITION_BYTES
}

const TOKEN =
  /\s*(?:[{}[\],:]|"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)\s*/y

/** Where it stops being JSON: the parser says so of some faults, of others the first word that is none of JSON's. */
function faultIn(text: string, error: unknown): number {
  const said = / at position (\d+)/.exec(String(error))?.[1]
  if (said !== undefined) return Number(said)
  const token = new RegExp(TOKEN)
  let end = 0
  while (end < text.length && token.test(text)) end = token.lastIndex
  return end === text.length ? 0 : end
}

/** Walks a text that is known to be JSON. */
function readTree(text: string, mistake: Report): Node | undefined {
  let at = 0
  return value(0)

  function skip(): void {
    while (' \t\r\n,:'.includes(text[at] ?? '.')) at++
  }

  function value(depth: number): Node | undefined {
    skip()
    const offset = at
    const first = text[at]
    const inner = new Map<PropertyKey, Node>()
    if (depth > MAX_DEPTH) {
      mistake(offset, `nested deeper than ${MAX_DEPTH} levels`)
      at = text.length
      return undefined
    }
    if (first === '"') return leaf(string(), offset)
    if (first === '{') return object(offset, inner, depth)
    if (first === '[') return list(offset, inner, depth)
    while (at < text.length && !' \t\r\n,]}'.includes(text[at] ?? ' ')) at++
    const word = text.slice(offset, at)
    if (word === 'null') mistake(offset, 'a value is missing here; write one or delete the key')
    return leaf(word, offset)
  }

  function string(): string {
    const start = at++
    while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
    const read: unknown = JSON.parse(text.slice(start, ++at))
    const plain = String(read)
    if (!plain.isWellFormed()) mistake(start, 'has half a character')
    else if (INVISIBLE.test(plain)) mistake(start, 'has a character that nobody can see')
    return plain
  }

  function object(offset: number, inner: Node['inner'], depth: number): Node {
    const map: { [key: string]: YamlValue } = Object.create(null)
    for (at++, skip(); at < text.length && text[at] !== '}'; skip()) {
      const keyOffset = at
      const key = string()
      const node = value(depth + 1)
      if (key === '' || key === '__proto__') mistake(keyOffset, `"${key}" is no key`)
      else if (inner.has(key)) mistake(keyOffset, `"${key}" is said twice`)
      else if (node !== undefined) {
        map[key] = node.value
        inner.set(key, { ...node, keyOffset })
      }
    }
    at++
    return { value: map, offset, keyOffset: offset, inner }
  }

  function list(offset: number, inner: Node['inner'], depth: number): Node {
    const items: YamlValue[] = []
    for (at++, skip(); at < text.length && text[at] !== ']'; skip()) {
      const node = value(depth + 1)
      if (node === undefined) break
      inner.set(items.length, node)
      items.push(node.value)
    }
    at++
    return { value: items, offset, keyOffset: offset, inner }
  }
}

function leaf(value: string, offset: number): Node {
  return { value, offset, keyOffset: offset, inner: new Map() }
}

/** The node at a path; the nearest enclosing one where there is none. */
function find(root: Node, path: readonly PropertyKey[]): Node {
  let node = root
  for (const step of path) {
    const next = node.inner.get(step)
    if (next === undefined) return node
    node = next
  }
  return node
}

/** Every rule asks for its place, so that lines are counted once. */
function linesOf(text: string): (offset: number) => Place {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset) => {
    const line = starts.findLastIndex((start) => start <= offset)
    return { line: line + 1, column: offset - (starts[line] ?? 0) + 1 }
  }
}
