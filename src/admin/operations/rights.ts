/** Operations that answer what API users may do, what is held back from them, and who may do a thing. */

import type { Resource } from '../../domain/access-request.ts'
import type { RuleRef } from '../../domain/decision.ts'
import { z } from '../../lib/shape.ts'
import type { HeldBack, Permission } from '../../policy/policy-engine.ts'
import type { AdminRequest, Operation } from '../operation.ts'
import type { Rights } from '../rights/rights.ts'
import { at, stateOf, states, type Times } from '../users/views.ts'
import { linksTo, pagingOf, pagingQuery } from './paging.ts'
import { nameIn } from './users.ts'

export type RightsOperationsParts = { rights: Rights; times: () => Times }

const rule = z
  .strictObject({
    file: z.string(),
    line: z.int(),
    text: z.string(),
    id: z.string().optional(),
    because: z.string().optional(),
  })
  .meta({ id: 'Rule' })
const permission = z
  .strictObject({
    action: z.string(),
    outcome: z.enum(['allow', 'deny', 'depends']).meta({
      description: 'depends: allowed with some values of a request and denied with others (`with`)',
    }),
    reason: z.string().optional().meta({ description: 'Of a denial' }),
    rule: rule.optional().meta({ description: 'That decided' }),
    fields: z
      .record(z.string(), z.array(z.string()))
      .optional()
      .meta({ description: 'Names it reaches, by field word; a word that is absent: any' }),
    shows: z
      .strictObject({
        only: z.array(z.string()).optional(),
        never: z.array(z.string()).optional(),
        each_item: z.boolean().optional(),
      })
      .optional()
      .meta({ description: 'Of what is allowed and whose answer is cut' }),
  })
  .meta({ id: 'Permission' })
const resource = z
  .strictObject({
    type: z.enum(['organization', 'product', 'device', 'none']),
    organization: z.string().optional(),
    product: z.string().optional(),
    device: z.string().optional(),
  })
  .meta({ id: 'Resource' })

const permissionsAnswer = z.strictObject({
  user: z.string(),
  state: z.enum(states),
  observe_until: z.iso.datetime().optional().meta({ description: 'Until then nothing is refused' }),
  resource,
  permissions: z.array(permission),
})
const heldBackAnswer = z.strictObject({
  user: z.string(),
  token_id: z.string().optional(),
  held_back: z.array(
    z.strictObject({
      what: z.enum(['rule', 'boundary', 'devices', 'rate', 'from']),
      actions: z.array(z.string()).optional(),
      rule: rule.optional(),
      issued: z.string().optional(),
      today: z.string().optional(),
    }),
  ),
})
const accessAnswer = z.strictObject({
  action: z.string(),
  resource,
  access: z.array(
    z.strictObject({
      user: z.string(),
      home: z.enum(['git', 'store']),
      state: z.enum(states),
      permissions: z.array(permission),
    }),
  ),
  looked_at: z.int().meta({ description: 'API users in reach of the place, of all pages' }),
  page: z.int(),
  per_page: z.int(),
})

const place = {
  device: z.string().min(1).max(200).meta({ description: 'Id or name of a device' }),
  product: z.string().min(1).max(200).meta({ description: 'Id or slug of a product' }),
}
const base = { tag: 'Rights', errors: 'problem', role: 'viewer', method: 'GET' } as const

export function rightsOperations({ rights, times }: RightsOperationsParts): Operation[] {
  return [
    {
      ...base,
      ...{ id: 'getPermissions', path: '/api/users/{name}/permissions' },
      summary: 'What it may do now with a device or a product, and by which rule',
      description:
        'Every action that speaks of such a resource, decided as a request of this moment would be, on facts of the cloud. Where neither is said: its one product, or its organization.',
      query: place,
      answers: {
        200: { says: 'Actions, each with the rule that decides', body: permissionsAnswer },
      },
      async handle(request) {
        const found = await rights.permissions(request, nameIn(request), namedIn(request))
        const { record } = found
        const body: z.infer<typeof permissionsAnswer> = {
          ...{ user: record.name, state: stateOf(record, times()) },
          ...at('observe_until', record.user?.observeUntilMs),
          resource: toResource(found.resource),
          permissions: found.permissions.map(toPermission),
        }
        return { status: 200, body }
      },
    },
    {
      ...base,
      ...{ id: 'getHeldBack', path: '/api/users/{name}/held-back' },
      summary: 'What was granted since its token was issued, and is held back until it is extended',
      answers: { 200: { says: 'Empty: nothing', body: heldBackAnswer } },
      async handle(request) {
        const { record, heldBack } = await rights.heldBack(request, nameIn(request))
        const { token } = record
        const live = token?.state === 'revoked' ? undefined : token?.tokenId
        const body: z.infer<typeof heldBackAnswer> = {
          user: record.name,
          ...(live !== undefined && { token_id: live }),
          held_back: heldBack.map(toHeldBack),
        }
        return { status: 200, body }
      },
    },
    {
      ...base,
      ...{ id: 'listAccess', path: '/api/access' },
      summary: 'Which API users may do an action with a device or a product',
      description:
        'Looks at one page of those whose boundary holds the place, and names those who may: a page may be empty though later ones are not.',
      query: {
        action: z
          .string()
          .min(1)
          .max(200)
          .meta({
            ...{ description: 'As devices.function:call', required: true },
          }),
        ...place,
        ...pagingQuery,
      },
      answers: { 200: { says: 'Those who may; Link leads to the others', body: accessAnswer } },
      async handle(request) {
        const paging = pagingOf(request)
        const { page, perPage } = paging
        const action = request.query['action'] ?? ''
        const window = { offset: (page - 1) * perPage, limit: perPage }
        const found = await rights.access(request, action, namedIn(request), window)
        const now = times()
        const body: z.infer<typeof accessAnswer> = {
          action,
          resource: toResource(found.resource),
          access: found.holders.map(({ record, permissions }) => ({
            ...{ user: record.name, home: record.home, state: stateOf(record, now) },
            permissions: permissions.map(toPermission),
          })),
          ...{ looked_at: found.total, page, per_page: perPage },
        }
        return { status: 200, headers: linksTo('/api/access', request, paging, found.total), body }
      },
    },
  ]
}

function namedIn({ query }: AdminRequest) {
  return { product: query['product'], device: query['device'] }
}

function toResource({ type, organization, product, device }: Resource): z.infer<typeof resource> {
  return {
    type,
    ...(organization !== undefined && { organization }),
    ...(product !== undefined && { product }),
    ...(device !== undefined && { device }),
  }
}

function toRule({ file, line, text, id, because }: RuleRef): z.infer<typeof rule> {
  return {
    ...{ file, line, text },
    ...(id !== undefined && { id }),
    ...(because !== undefined && { because }),
  }
}

function toPermission(one: Permission): z.infer<typeof permission> {
  const { action, outcome, reason, obligations } = one
  const fields: Record<string, string[]> = {}
  for (const [word, names] of Object.entries(one.fields)) fields[word] = [...names]
  return {
    ...{ action, outcome },
    ...(reason !== undefined && { reason }),
    ...(one.rule !== undefined && { rule: toRule(one.rule) }),
    ...(Object.keys(fields).length > 0 && { fields }),
    ...(obligations !== undefined && {
      shows: {
        ...(obligations.answer !== undefined && { only: [...obligations.answer].toSorted() }),
        ...(obligations.hide.size > 0 && { never: [...obligations.hide].toSorted() }),
        ...(obligations.items === 'each' && { each_item: true }),
      },
    }),
  }
}

function toHeldBack(one: HeldBack): z.infer<typeof heldBackAnswer>['held_back'][number] {
  return one.what === 'rule'
    ? { what: one.what, actions: [...one.actions], rule: toRule(one.rule) }
    : { what: one.what, issued: one.issued, today: one.today }
}
