/** What an observed caller did, as the entry of a policy file: the least that lets it go on. */

import type { Catalog } from '../domain/catalog.ts'
import { count, time } from './io.ts'
import type { ObservedAction, ObservedCaller } from './observed-callers.ts'

/** More are rather a condition than a list. */
const fewDevices = 20
const unknown = 'CHANGE-ME'

/** Who it is and what it could not do, as comments above its entry. */
export function commentOf(caller: ObservedCaller): string {
  const { user, fingerprint, requests, firstAt, lastAt, wouldCut, refusedByCloud } = caller
  const who =
    user !== undefined
      ? `API user ${user}`
      : fingerprint !== undefined
        ? `a token that the gate does not know, fingerprint ${fingerprint}`
        : 'without a token'
  const moment = (at: string) => time(Date.parse(at), 'ever')
  const denied = [...caller.wouldDeny].map(([reason, times]) => `${reason} ${times}`)
  return [
    `${who}: ${count(requests, 'request')}, ${moment(firstAt)} to ${moment(lastAt)}`,
    `from ${[...caller.addresses].join(', ')}`,
    ...(caller.agents.size > 0 ? [`agents: ${[...caller.agents].join(' | ')}`] : []),
    ...(denied.length > 0 ? [`would have been denied: ${denied.join(', ')}`] : []),
    ...[...caller.impossible].map(([what, times]) => `no policy allows: ${what}, ${times} ×`),
    ...(refusedByCloud > 0 ? [`refused by the cloud itself: ${refusedByCloud}`] : []),
    ...(wouldCut > 0 ? [`answers that would have been cut: ${wouldCut}`] : []),
  ]
    .map((line) => `  # ${plainly(line)}`)
    .join('\n')
}

/** As a comment for an API user that there is already, and for who did nothing that the cloud would let it. */
export function entryOrComment(caller: ObservedCaller, catalog: Catalog): string {
  const entry = policyEntry(caller, catalog)
  if (!isNew(caller)) return entry.replaceAll(/^ {2}/gm, '  # ')
  return entry
}

export function isNew({ user, actions }: ObservedCaller): boolean {
  return user === undefined && actions.size > 0
}

/** Loads once every CHANGE-ME is filled in. */
export function policyEntry(caller: ObservedCaller, catalog: Catalog): string {
  const { user, fingerprint, nameless } = caller
  const name = user ?? `observed-${fingerprint ?? `without-token-${nameless ?? 0}`}`
  const rules = rulesOf(caller, catalog)
  return [
    `  ${scalar(name)}:`,
    `    owner: ${unknown}`,
    ...boundaryOf(caller, catalog),
    ...devicesOf(caller, catalog),
    ...(rules.length > 0 ? ['    rules:', ...rules] : []),
    `    expires: ${unknown} # a date such as 2027-03-01`,
  ].join('\n')
}

function boundaryOf({ organizations, products }: ObservedCaller, { resources }: Catalog): string[] {
  const [organization, another] = organizations
  // What belongs to an organization is out of reach of products alone.
  if (organization !== undefined && another === undefined) {
    return [`    ${resources.organization.one}: ${scalar(organization)}`]
  }
  const [product = unknown, ...others] = products
  if (others.length === 0) return [`    ${resources.product.one}: ${scalar(product)}`]
  return [`    ${resources.product.many}: ${list([product, ...others])}`]
}

function devicesOf({ actions, devices }: ObservedCaller, catalog: Catalog): string[] {
  const kinds = [...actions.keys()].map((name) => catalog.actions.get(name))
  const ofMany = kinds.some((action) => action !== undefined && action.shape !== 'item')
  const ofOne = kinds.some((action) => action?.onDevice === true)
  if (!ofMany && !ofOne && devices.values.size === 0) return []
  const few = !devices.many && devices.values.size > 0 && devices.values.size <= fewDevices
  if (few && !ofMany) return [`    devices: ${list([...devices.values])}`]
  if (!few) return ['    devices: all']
  return [
    '    devices: all # it lists or listens to them; to show it only those it named:',
    `    # devices: ${list([...devices.values])}`,
  ]
}

function rulesOf({ actions }: ObservedCaller, catalog: Catalog): string[] {
  const plain: string[] = []
  const narrowed: string[] = []
  for (const [name, action] of [...actions].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const words = narrowing(name, action, catalog)
    if (words.length === 0) plain.push(name)
    else narrowed.push(`      - can: ${scalar(name)}`, ...words)
  }
  return [...(plain.length > 0 ? [`      - can: ${list(plain)}`] : []), ...narrowed]
}

/** A word narrows only where every call had it. */
function narrowing(name: string, { fields, bare }: ObservedAction, { actions }: Catalog): string[] {
  const { fields: known = [], shape } = actions.get(name) ?? {}
  // The keys of a body are rather left to the cloud where something else narrows.
  const words = known.length > 1 ? known.filter((word) => word !== 'body') : known
  return words.flatMap((word) => {
    const names = fields.get(word)
    if (names === undefined || bare.has(word)) return []
    const sorted = [...names].toSorted()
    // Who opens a stream asks for beginnings of names; elsewhere a name is only spelled so, and would be a pattern here.
    const isOdd = (each: string) => (shape === 'stream' ? each.slice(0, -1) : each).includes('*')
    const plain = sorted.filter((each) => !isOdd(each))
    const odd = sorted.filter(isOdd)
    return [
      `        ${word}: ${list(plain.length > 0 ? plain : [unknown])}`,
      ...odd.map((each) => `        # a * stands for any rest, so not this name: ${quoted(each)}`),
    ]
  })
}

function list(items: readonly string[]): string {
  return `[${items.map(scalar).join(', ')}]`
}

/** Plain where YAML reads it as what it says. */
function scalar(text: string): string {
  return /^[A-Za-z0-9][\w.*-]*(:[\w.*-]+)*$/.test(text) ? text : quoted(text)
}

function quoted(text: string): string {
  return plainly(JSON.stringify(text))
}

/** Line breaks, and what makes a line look other than it reads, spelled as YAML spells them in quotes. */
function plainly(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16)
    return hex.length > 4 ? `\\U${hex.padStart(8, '0')}` : `\\u${hex.padStart(4, '0')}`
  })
}
