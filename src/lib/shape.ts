/** Shapes of the files that people write: checked, typed, and turned into JSON Schema, all from one definition. */

import { z } from 'zod'
import type { Mistake } from './mistake.ts'
import { didYouMean } from './nearest.ts'
import type { YamlFile } from './yaml.ts'

export { z }

/** Any scalar, kept as its source text: ids, names, hex. Never empty. */
export const text = () => z.string().min(1, 'must not be empty')

/** A mapping that takes these keys and no others; the known keys travel in the issue so that the nearest can be named. */
export const mapping = <S extends z.core.$ZodLooseShape>(shape: S) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? Object.keys(shape).join(' ') : undefined,
  })

/** One scalar or a list of them; always a list inside. An empty list is a mistake: it reads like "all". */
export const textList = () =>
  z
    .union([text(), z.array(text()).min(1, 'must not be an empty list')])
    .transform((value) => (typeof value === 'string' ? [value] : value))

/** A whole number, written plainly. */
export const integer = (min: number, max = Number.MAX_SAFE_INTEGER) =>
  z
    .string()
    .regex(/^-?(0|[1-9]\d{0,15})$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be from ${min} to ${max}`)

export const flag = () =>
  z.enum(['true', 'false'], 'must be true or false').transform((value) => value === 'true')

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** `250ms`, `30s`, `15m`, `12h`, `90d`: milliseconds inside. */
export const durationMs = () =>
  z
    .string()
    .regex(/^[1-9]\d{0,8}(ms|s|m|h|d)$/, 'must be a duration such as 250ms, 30s, 15m, 12h or 90d')
    .transform((value) => {
      const [, count = '0', unit = 's'] = /^(\d+)(.*)$/.exec(value) ?? []
      return Number(count) * UNITS[unit as keyof typeof UNITS]
    })

/** `512B`, `64KB`, `16MB`, `1GB`: bytes inside, powers of 1024. */
export const byteSize = () =>
  z
    .string()
    .regex(/^[1-9]\d{0,8}(B|KB|MB|GB)$/, 'must be a size such as 512B, 64KB, 16MB or 1GB')
    .transform((value) => {
      const [, count = '0', unit = 'B'] = /^(\d+)(.*)$/.exec(value) ?? []
      return Number(count) * 1024 ** ['B', 'KB', 'MB', 'GB'].indexOf(unit)
    })

/** The typed value, or every mistake with its place and the nearest right word. */
export function decode<T>(
  schema: z.ZodType<T>,
  source: YamlFile,
): { ok: true; value: T } | { ok: false; mistakes: Mistake[] } {
  const result = schema.safeParse(source.value)
  if (result.success) return { ok: true, value: result.data }
  return { ok: false, mistakes: result.error.issues.flatMap((issue) => explain(issue, [], source)) }
}

function explain(
  issue: z.core.$ZodIssue,
  base: readonly PropertyKey[],
  source: YamlFile,
): Mistake[] {
  const path = [...base, ...issue.path]
  const here = (message: string): Mistake[] => [{ file: source.file, ...source.at(path), message }]
  const name = path.length > 0 ? `"${String(path.at(-1))}" ` : ''
  if (issue.code === 'unrecognized_keys') {
    const known = issue.message.split(' ')
    return issue.keys.map((key) => ({
      file: source.file,
      ...source.keyAt([...path, key]),
      message: `unknown key "${key}"${didYouMean(key, known)}`,
    }))
  }
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String)
    const given = valueAt(source.value, path)
    const hint = typeof given === 'string' ? didYouMean(given, values) : ''
    return here(`${name}must be one of: ${values.join(', ')}${hint}`)
  }
  if (valueAt(source.value, path) === undefined) return here(`${name}is missing`)
  if (issue.code === 'invalid_union') {
    // The branch that got furthest is the one that was meant.
    const depth = (branch: z.core.$ZodIssue[]) => Math.max(...branch.map((i) => i.path.length))
    const branches = issue.errors.filter((branch) => branch.length > 0)
    const best = branches.toSorted((a, b) => depth(b) - depth(a))[0]
    return best === undefined || depth(best) === 0
      ? here(
          best?.[0]?.code === 'custom'
            ? best[0].message
            : `${name}is not of a shape that is taken here`,
        )
      : best.flatMap((inner) => explain(inner, path, source))
  }
  if (issue.code === 'invalid_type') {
    return here(`${name}must be ${article(issue.expected)}`)
  }
  return here(`${name}${issue.message}`)
}

function article(expected: string): string {
  const words: Record<string, string> = {
    string: 'one plain value',
    array: 'a list',
    object: 'a mapping',
    record: 'a mapping',
  }
  return words[expected] ?? expected
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let here = value
  for (const step of path) {
    if (typeof here !== 'object' || here === null) return undefined
    here = Reflect.get(here, step)
  }
  return here
}

/** JSON Schema (draft 2020-12) for editors: plain YAML numbers and booleans pass where a text is wanted. */
export function toJsonSchema(schema: z.ZodType, title: string): unknown {
  const json = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      if (jsonSchema.type !== 'string') return
      if (jsonSchema.enum === undefined) {
        Object.assign(jsonSchema, { type: ['string', 'number', 'boolean'] })
      } else if (jsonSchema.enum.join(' ') === 'true false') {
        Object.assign(jsonSchema, { type: 'boolean', enum: [true, false] })
      }
    },
  })
  return { ...json, title }
}
