/** Where mistakes are gathered while a policy set is read: by path in the file, so that each has its place. */

import type { Mistake } from '../lib/mistake.ts'
import { didYouMean } from '../lib/nearest.ts'
import { decode, type z } from '../lib/shape.ts'
import type { YamlFile, YamlValue } from '../lib/yaml.ts'

export type Path = readonly (string | number)[]

/** A part of a file, with the path that leads to it. */
export type Part = { source: YamlFile; path: Path; value: YamlValue }

/** Where a person finds something. */
export type FilePlace = Omit<Mistake, 'message'>

export type Report = {
  mistakes: Mistake[]
  /** Findings that do not stop a load. */
  notes: Mistake[]
}

export function within(part: Part, ...steps: Path): Part {
  let value: YamlValue | undefined = part.value
  for (const step of steps) value = child(value, step)
  return { source: part.source, path: [...part.path, ...steps], value: value ?? '' }
}

function child(value: YamlValue | undefined, step: string | number): YamlValue | undefined {
  if (typeof value !== 'object') return undefined
  if (Array.isArray(value)) return value[Number(step)]
  return Object.hasOwn(value, step) ? value[step] : undefined
}

export function placeOf(part: Part): FilePlace {
  return { file: part.source.file, ...part.source.at(part.path) }
}

export function mistakeAt(report: Report, part: Part, message: string): void {
  report.mistakes.push({ ...placeOf(part), message })
}

export function mistakeAtKey(report: Report, part: Part, message: string): void {
  report.mistakes.push({ file: part.source.file, ...part.source.keyAt(part.path), message })
}

export function noteAt(report: Report, part: Part, message: string): void {
  report.notes.push({ ...placeOf(part), message })
}

export type Decoded<S extends Record<string, z.ZodType>> = { [K in keyof S]?: z.output<S[K]> }

/**
 * Decodes each key of a mapping by itself, so that one mistake does not hide the next. What is wrong is reported and
 * left out. `undefined`: no mapping at all.
 */
export function decodeKeys<S extends Record<string, z.ZodType>>(
  shape: S,
  part: Part,
  report: Report,
): Decoded<S> | undefined {
  if (typeof part.value !== 'object' || Array.isArray(part.value)) {
    mistakeAt(report, part, 'must be a mapping')
    return undefined
  }
  const decoded: Decoded<S> = {}
  for (const key of Object.keys(part.value)) {
    const item = within(part, key)
    const known = Object.hasOwn(shape, key) ? shape[key] : undefined
    if (known === undefined) {
      mistakeAtKey(report, item, `unknown key "${key}"${didYouMean(key, Object.keys(shape))}`)
      continue
    }
    const result = decode(known, asFile(item))
    if (result.ok) Object.assign(decoded, { [key]: result.value })
    else report.mistakes.push(...result.mistakes)
  }
  return decoded
}

/** The part as a file of its own, whose places are still those of the whole file. */
function asFile({ source, path, value }: Part): YamlFile {
  return {
    file: source.file,
    value,
    at: (inner) => source.at([...path, ...inner]),
    keyAt: (inner) => source.keyAt([...path, ...inner]),
  }
}
