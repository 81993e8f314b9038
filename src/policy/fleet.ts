/** The `fleet` section: names for ids, so that users and rules can be read; and ids in canonical form. */

import { canonicalId } from '../domain/canonical-id.ts'
import type { Catalog } from '../domain/catalog.ts'
import { didYouMean } from '../lib/nearest.ts'
import { decode, textList } from '../lib/shape.ts'
import { mistakeAt, mistakeAtKey, within, type Part, type Report } from './report.ts'

type Kind = 'organization' | 'product' | 'device'

export type Fleet = {
  /** The canonical id of a value that is an id or a fleet name; reports what is neither. */
  idOf(kind: 'organization' | 'product', text: string, part: Part): string | undefined
  /** Canonical ids of a list in which a fleet name stands for its whole list. */
  deviceIds(texts: readonly string[], part: Part): string[]
  hasName(kind: Kind, text: string): boolean
}

/** Canonical ids by name, for each kind of resource. Plain data. */
export type FleetNames = Readonly<Record<Kind, ReadonlyMap<string, readonly string[]>>>

/** Reads the sections of all files into one table. */
export function readFleet(sections: readonly Part[], catalog: Catalog, report: Report): FleetNames {
  const names: Record<Kind, Map<string, readonly string[]>> = {
    organization: new Map(),
    product: new Map(),
    device: new Map(),
  }
  const kinds = new Map<string, Kind>([
    [catalog.resources.organization.many, 'organization'],
    [catalog.resources.product.many, 'product'],
    [catalog.resources.device.many, 'device'],
  ])

  for (const section of sections) {
    if (typeof section.value !== 'object' || Array.isArray(section.value)) continue
    for (const word of Object.keys(section.value)) {
      const part = within(section, word)
      const kind = kinds.get(word)
      if (kind === undefined) {
        mistakeAtKey(report, part, `unknown key "${word}"${didYouMean(word, kinds.keys())}`)
      } else readNames(kind, part)
    }
  }

  function readNames(kind: Kind, part: Part): void {
    if (typeof part.value !== 'object' || Array.isArray(part.value)) {
      mistakeAt(report, part, 'must be a mapping of names to ids')
      return
    }
    for (const name of Object.keys(part.value)) {
      const place = within(part, name)
      const { one } = catalog.resources[kind]
      if (
        canonicalId(catalog.resources[kind], name) !== undefined ||
        name === 'all' ||
        name === '*'
      ) {
        mistakeAtKey(report, place, `"${name}" reads like a ${one} id; choose another name`)
      }
      if (names[kind].has(name)) mistakeAtKey(report, place, `"${name}" has been named already`)
      const ids = textsOf(place)
      if (kind !== 'device' && ids.length > 1) {
        mistakeAt(report, place, `a name stands for one ${one}`)
      }
      const canonical = ids.flatMap(
        (id) => checkId({ kind, text: id, part: place, known: [] }, catalog, report) ?? [],
      )
      names[kind].set(name, canonical)
    }
  }

  function textsOf(part: Part): readonly string[] {
    const result = decode(textList(), {
      file: part.source.file,
      value: part.value,
      at: (path) => part.source.at([...part.path, ...path]),
      keyAt: (path) => part.source.keyAt([...part.path, ...path]),
    })
    if (result.ok) return result.value
    report.mistakes.push(...result.mistakes)
    return []
  }

  return names
}

/** What users and rules find by these names; what is neither a name nor an id is reported. */
export function fleetOf(names: FleetNames, catalog: Catalog, report: Report): Fleet {
  const check = (kind: Kind, text: string, part: Part) =>
    checkId({ kind, text, part, known: names[kind].keys() }, catalog, report)
  return {
    idOf: (kind, text, part) =>
      names[kind].has(text) ? names[kind].get(text)?.[0] : check(kind, text, part),
    deviceIds(texts, part) {
      const ids = texts.flatMap((text, index) => {
        const place = Array.isArray(part.value) ? within(part, index) : part
        return names.device.get(text) ?? check('device', text, place) ?? []
      })
      return [...new Set(ids)].toSorted()
    },
    hasName: (kind, text) => names[kind].has(text),
  }
}

type Spelling = { kind: Kind; text: string; part: Part; known: Iterable<string> }

function checkId(
  { kind, text, part, known }: Spelling,
  catalog: Catalog,
  report: Report,
): string | undefined {
  const id = canonicalId(catalog.resources[kind], text)
  if (id !== undefined) return id
  const { one, alias } = catalog.resources[kind]
  const why = alias?.test(text) === true ? ': slugs and names can be moved; write its id' : ''
  mistakeAt(report, part, `"${text}" is no ${one} id${why}${didYouMean(text, known)}`)
  return undefined
}
