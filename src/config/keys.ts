/** Building blocks of the configuration's shape: kinds of values, each documented for people and editors. */

import { formatAddressRange, parseAddressRange } from '../lib/address-range.ts'
import {
  isHttpsOrLoopback,
  parseHttpOrigin,
  parseHttpUrl,
  type HttpOrigin,
} from '../lib/http-url.ts'
import { byteSize, durationMs, flag, integer, mapping, text, textList, z } from '../lib/shape.ts'
import { parseListenAddress, type ListenAddress } from './address.ts'
import type { CatalogChoice, ShippedCatalog } from './config.ts'
import type { SecretResult } from './secret-source.ts'

/** What the checks need to know of the world outside the file. */
export type Surroundings = {
  /** Makes a path absolute, from the configuration's folder. */
  readonly toPath: (path: string) => string
  readonly environmentSecret: (name: string) => SecretResult
  readonly fileSecret: (path: string) => SecretResult
  /** For the store's password, where that is looked for in another way than credentials of the cloud. */
  readonly store?: Pick<Surroundings, 'environmentSecret' | 'fileSecret'>
}

type Paths = Pick<Surroundings, 'toPath'>

const shippedCatalogs: readonly ShippedCatalog[] = ['particle']

/** `type` is the kind of value in a few words: `docs/config.md` and editors show it beside the key. */
export function key<S extends z.ZodType>(schema: S, type: string, says: string): S {
  return schema.meta({ title: type, description: says })
}

export const duration = (standard: string, says: string) =>
  key(durationMs().prefault(standard), 'duration', says)

/** A duration that a timer runs for: Node's turn into 1 ms beyond 24.8 days. */
export const wait = (standard: string, says: string, most = '24d') => {
  const mostMs = durationMs().parse(most)
  const bounded = durationMs().refine((ms) => ms <= mostMs, `must be at most ${most}`)
  return key(bounded.prefault(standard), `duration, at most ${most}`, says)
}

export const size = (standard: string, says: string) =>
  key(byteSize().prefault(standard), 'size', says)

export const count = (standard: number, says: string, min = 1, max = 1_000_000) =>
  key(integer(min, max).prefault(String(standard)), 'number', says)

export const toggle = (standard: boolean, says: string) =>
  key(flag().prefault(standard ? 'true' : 'false'), 'true or false', says)

export const choice = <const T extends readonly [string, ...string[]]>(
  words: T,
  standard: NoInfer<T[number]>,
  says: string,
) => key(z.enum(words).prefault(standard), words.join(' or '), says)

/** All keys of a section have defaults, so that the section may be left out. */
export const section = <S extends z.core.$ZodLooseShape>(says: string, shape: S) =>
  mapping(shape)
    .prefault({} as never)
    .meta({ description: says })

export const path = (around: Paths, standard: string, says: string) =>
  key(plainPath(around).prefault(standard), 'path', says)

/** Nothing of a credential may be written down here: a literal is refused without being repeated. */
export const credential = (around: Surroundings) =>
  key(
    z
      .unknown()
      .refine(
        (value) => typeof value !== 'string',
        'must not be the credential itself; write { env: NAME } or { file: PATH }',
      )
      .pipe(
        mapping({
          env: text().transform(taken(around.environmentSecret)).optional(),
          file: plainPath(around).transform(taken(around.fileSecret)).optional(),
        }),
      )
      .transform(({ env, file }, context) => {
        if (env !== undefined && file === undefined) return env
        if (file !== undefined && env === undefined) return file
        return fail(context, 'must have either "env" or "file"')
      }),
    '{ env: NAME } or { file: PATH }',
    'A bearer token of the cloud, from an environment variable or from a file of mode 0600.',
  ).meta({
    type: 'object',
    properties: { env: { type: 'string' }, file: { type: 'string' } },
    additionalProperties: false,
    minProperties: 1,
    maxProperties: 1,
  })

export const catalogChoice = (around: Paths, says: string) =>
  key(
    text()
      .transform((value, context): CatalogChoice => {
        const shipped = shippedCatalogs.find((name) => name === value)
        if (shipped !== undefined) return { kind: 'shipped', name: shipped }
        if (/[./]/.test(value)) return { kind: 'file', path: around.toPath(value) }
        const known = shippedCatalogs.join(', ')
        return fail(context, `must be one that ships (${known}) or a path such as ./my-cloud.yaml`)
      })
      .prefault('particle'),
    'name or path',
    says,
  )

/** Without a standard it may be left out. */
export function listenAddress<T extends string | undefined>(
  around: Surroundings,
  standard: T,
  says: string,
): z.ZodType<T extends string ? ListenAddress : ListenAddress | undefined>
export function listenAddress(around: Surroundings, standard: string | undefined, says: string) {
  const address = text().transform((value, context): ListenAddress => {
    const parsed = parseListenAddress(value, around.toPath)
    return parsed.ok ? parsed.address : fail(context, parsed.says)
  })
  const known = standard === undefined ? address.optional() : address.prefault(standard)
  return key(known, 'address', says)
}

/** A password in it would end up in logs and lists of processes. */
export const storePlace = (around: Paths, says: string) =>
  key(
    text()
      .transform((value, context): StorePlace => {
        if (!/^postgres(ql)?:/.test(value)) {
          const path = plainPath(around).safeParse(value)
          if (path.success) return { kind: 'sqlite', path: path.data }
          const isUrl = /^[a-z]+:\/\//.test(value)
          const says = isUrl ? 'must be a path, or a URL that begins with postgres://' : undefined
          return fail(context, says ?? path.error.issues[0]?.message ?? 'must be a path')
        }
        const url = URL.parse(value)
        if (url === null) return fail(context, 'must be a URL such as postgres://gate@db/fleetgate')
        if (url.password !== '' || url.searchParams.has('password')) {
          return fail(context, 'must not hold a password; it belongs in "store_password"')
        }
        return { kind: 'postgres', url: value }
      })
      .prefault('fleetgate.sqlite'),
    'path or URL',
    says,
  )

type StorePlace = { kind: 'sqlite'; path: string } | { kind: 'postgres'; url: string }

/** Milliseconds since the epoch of 00:00 UTC of that day. */
export const date = () =>
  z
    .string()
    .regex(/^\d{4}-\d\d-\d\d$/, 'must be a date such as 2027-03-01')
    .transform((value, context): number => {
      const atMs = Date.parse(`${value}T00:00:00Z`)
      const real = !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(value)
      return real ? atMs : fail(context, 'is no date of the calendar')
    })

export const originUrl = (says: string) =>
  key(
    text().transform((value, context): HttpOrigin => {
      const parsed = parseHttpOrigin(value)
      return parsed.ok ? parsed.origin : fail(context, parsed.says)
    }),
    'URL',
    says,
  )

/** What is secret goes there, or comes from there: never over a network in clear. */
export const safeUrl = (says: string) =>
  key(
    text().transform((value, context): string => {
      const parsed = parseHttpUrl(value)
      if (!parsed.ok) return fail(context, parsed.says)
      if (isHttpsOrLoopback(value)) return value
      return fail(context, 'must be https; http is for loopback addresses alone')
    }),
    'URL',
    says,
  )

export const networks = (says: string) =>
  key(
    textList()
      .transform((list, context) => list.map((item) => network(item, context)))
      .optional(),
    'list of networks',
    says,
  )

const plainPath = (around: Paths) =>
  text()
    .refine((value) => !value.startsWith('~'), 'must be written out: "~" is not expanded here')
    .refine((value) => !/^[a-z]+:\/\//.test(value), 'must be a path, not a URL')
    .transform(around.toPath)

/** Reports a refusal at the value's place; what it returns is never used. */
function fail(context: z.RefinementCtx, message: string): never {
  context.addIssue({ code: 'custom', message })
  return z.NEVER
}

function taken(source: (value: string) => SecretResult) {
  return (value: string, context: z.RefinementCtx) => {
    const result = source(value)
    return result.ok ? result.secret : fail(context, result.says)
  }
}

/** Everybody (a prefix of 0) is no network: any client could then name its own address. */
function network(text: string, context: z.RefinementCtx): string {
  if (text === 'unix') return text
  const range = parseAddressRange(text)
  if (typeof range === 'string') return fail(context, `takes networks and unix: ${range}`)
  if (range.prefix > 0) return formatAddressRange(range)
  return fail(context, `takes networks and unix: "${text}" is everybody`)
}
