/** Building blocks of the configuration's shape: kinds of values, each documented for people and editors. */

import { isIP } from 'node:net'
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
          return fail(context, path.error.issues[0]?.message ?? 'must be a path')
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

export const upstreamUrl = (says: string) =>
  key(
    text().superRefine((value, context) => {
      const message = urlFault(value)
      if (message !== undefined) context.addIssue({ code: 'custom', message })
    }),
    'URL',
    says,
  )

export const networks = (says: string) =>
  key(
    textList()
      .superRefine((list, context) => {
        for (const item of list) {
          if (isNetwork(item)) continue
          const message = `takes addresses, CIDRs such as 10.0.0.0/8, and unix; "${item}" is none of these`
          context.addIssue({ code: 'custom', message })
        }
      })
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

/** A URL with a password is not repeated: it would end up in a log. */
function urlFault(value: string): string | undefined {
  const url = URL.parse(value)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return 'must be a URL that begins with http:// or https://'
  }
  if (url.username !== '' || url.password !== '') {
    return 'must not hold a user name or password; they belong under "credentials"'
  }
  if (/[?#]/.test(value)) return 'must end with its path'
  return undefined
}

/** Everybody (a prefix of 0) is no network: any client could then name its own address. */
function isNetwork(value: string): boolean {
  if (value === 'unix') return true
  const [address = '', prefix, more] = value.split('/')
  const family = isIP(address)
  if (family === 0 || address.includes('%') || more !== undefined) return false
  if (prefix === undefined) return true
  return /^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128)
}
