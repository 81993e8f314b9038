/** YAML that people wrote, read without guessing: scalars stay source text, and every node keeps its place. */

import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml'
import type { Document, Node, ParsedNode } from 'yaml'
import type { Mistake } from './mistake.ts'

/** Maps are null-prototype objects, scalars strings of their source text (quotes and escapes resolved). */
export type YamlValue = string | YamlValue[] | { [key: string]: YamlValue }

export type Place = { line: number; column: number }

export type YamlFile = {
  file: string
  value: YamlValue
  /** Place of the node at a path; of the nearest enclosing node where there is none. */
  at(path: readonly PropertyKey[]): Place
  /** Place of the key itself, for "unknown key". */
  keyAt(path: readonly PropertyKey[]): Place
}

const MAX_BYTES = 8 * 1024 * 1024
const MAX_DEPTH = 40
/** Flow collections deeper than this exhaust the parser's stack before depth can be checked on the tree. */
const OPENERS = /[[{]/g
const MAX_OPENERS_IN_LINE = 1000
const NO_ANCHORS = 'anchors (&name) are not taken; write it out'
const NULLS = new Set(['', '~', 'null', 'Null', 'NULL'])

/** Exactly one plain document: no aliases, anchors, tags, directives, merge keys, nulls or duplicate keys. */
export function readYaml(
  text: string,
  file: string,
): { ok: true; file: YamlFile } | { ok: false; mistakes: Mistake[] } {
  const lines = new LineCounter()
  const mistakes: Mistake[] = []
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const mistake = (offset: number, message: string) =>
    void mistakes.push({ file, ...place(offset), message })

  if (Buffer.byteLength(text) > MAX_BYTES) {
    mistake(0, `the file is larger than ${MAX_BYTES} bytes; split it`)
    return { ok: false, mistakes }
  }
  const root = parseOne(text, lines, mistake)
  if (root === undefined || mistakes.length > 0) return { ok: false, mistakes }
  const value = plain(root, mistake, 0)
  if (mistakes.length > 0 || value === undefined) return { ok: false, mistakes }
  return {
    ok: true,
    file: {
      file,
      value,
      at: (path) => place(find(root, path, false)),
      keyAt: (path) => place(find(root, path, true)),
    },
  }
}

type Report = (offset: number, message: string) => void

function parseOne(text: string, lines: LineCounter, mistake: Report): Node | undefined {
  if (text.split('\n').some((line) => (line.match(OPENERS)?.length ?? 0) > MAX_OPENERS_IN_LINE)) {
    mistake(0, 'a line opens more brackets than any policy needs')
    return undefined
  }
  let documents: Document.Parsed<ParsedNode>[]
  try {
    const parsed = parseAllDocuments(text, {
      lineCounter: lines,
      schema: 'failsafe',
      version: '1.2',
      strict: true,
      uniqueKeys: true,
      prettyErrors: false,
      stringKeys: true,
      logLevel: 'error',
    })
    documents = Array.isArray(parsed) ? parsed : []
  } catch (error) {
    mistake(0, `cannot be read: ${error instanceof Error ? error.name : 'unknown fault'}`)
    return undefined
  }
  const [document, second] = documents
  if (document === undefined || document.contents === null) {
    mistake(0, 'the file is empty; delete it or write something')
    return undefined
  }
  if (second !== undefined) mistake(second.range[0], 'only one document may stand in a file')
  if (/^%/m.test(text.slice(0, document.contents.range[0]))) {
    mistake(0, 'directives (lines that begin with %) are not taken')
  }
  const problems = [...document.errors, ...document.warnings]
  const bomb = problems.find(({ message }) => message.includes('call stack'))
  if (bomb !== undefined) {
    // The parser went as deep as it could; whatever it says of the rest is noise.
    mistake(bomb.pos[0], `nested deeper than ${MAX_DEPTH} levels`)
    return undefined
  }
  for (const problem of problems) mistake(problem.pos[0], problem.message)
  return document.contents
}

/** The tree as plain values; `undefined` only where a mistake was reported. */
function plain(node: unknown, mistake: Report, depth: number): YamlValue | undefined {
  const offset = offsetOf(node)
  if (depth > MAX_DEPTH) return refuse(mistake, offset, `nested deeper than ${MAX_DEPTH} levels`)
  if (isAlias(node)) return refuse(mistake, offset, 'aliases (*name) are not taken; write it out')
  if (isScalar(node) || isMap(node) || isSeq(node)) {
    if (node.anchor !== undefined) mistake(offset, NO_ANCHORS)
    if (node.tag !== undefined && !BUILT_IN_TAGS.has(node.tag)) {
      mistake(offset, `tags (${node.tag}) are not taken`)
    }
  }
  if (isScalar(node)) {
    const text = String(node.value ?? '')
    if (node.type === 'PLAIN' && NULLS.has(text)) {
      return refuse(mistake, offset, 'a value is missing here; write one or delete the key')
    }
    return text
  }
  if (isSeq(node)) {
    const items = node.items.map((item) => plain(item, mistake, depth + 1))
    return items.every((item) => item !== undefined) ? items : undefined
  }
  if (!isMap(node)) return refuse(mistake, offset, 'a value is missing here')
  const map: { [key: string]: YamlValue } = Object.create(null)
  for (const { key, value } of node.items) {
    const name = isScalar(key) && typeof key.value === 'string' ? key.value : undefined
    if (isScalar(key) && key.anchor !== undefined) refuse(mistake, offsetOf(key), NO_ANCHORS)
    if (name === undefined || name === '' || name === '__proto__' || name === '<<') {
      mistake(offsetOf(key), name === undefined ? 'a key must be a word' : `"${name}" is no key`)
      continue
    }
    const item =
      value === null
        ? refuse(mistake, offsetOf(key), `"${name}" has no value; write one or delete the key`)
        : plain(value, mistake, depth + 1)
    if (item !== undefined) map[name] = item
  }
  return map
}

const BUILT_IN_TAGS = new Set([
  'tag:yaml.org,2002:map',
  'tag:yaml.org,2002:seq',
  'tag:yaml.org,2002:str',
])

function refuse(mistake: Report, offset: number, message: string): undefined {
  mistake(offset, message)
}

function offsetOf(node: unknown): number {
  if (isAlias(node) || isScalar(node) || isMap(node) || isSeq(node)) return node.range?.[0] ?? 0
  return 0
}

/** Offset of the deepest node on the path; with `wantKey` of the last key itself. */
function find(root: Node, path: readonly PropertyKey[], wantKey: boolean): number {
  let node: unknown = root
  let offset = offsetOf(root)
  for (const [index, step] of path.entries()) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === String(step))
      if (pair === undefined) return offset
      const last = wantKey && index === path.length - 1
      node = last ? pair.key : (pair.value ?? pair.key)
    } else if (isSeq(node)) {
      node = node.items[Number(step)]
    } else return offset
    if (node === undefined) return offset
    offset = offsetOf(node)
  }
  return offset
}
