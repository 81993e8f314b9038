/** All operations of the admin port in one table: what is served, and what the OpenAPI document tells of. */

import type { ErrorShape } from '../domain/catalog.ts'
import type { ApiUsers } from './api-users.ts'
import { openApiDocument } from './openapi.ts'
import type { AnyOperation, OpenOperation } from './operation.ts'
import { operatorOperations } from './operations/operators.ts'
import { rightsOperations } from './operations/rights.ts'
import { healthOperation, statusOperation, type StatusParts } from './operations/status.ts'
import { tokenOperations } from './operations/tokens.ts'
import { userOperations } from './operations/users.ts'
import type { Operators } from './operators.ts'
import type { Rights } from './rights/rights.ts'
import type { Times } from './users/views.ts'

export type AdminOperationsParts = {
  apiUsers: ApiUsers
  rights: Rights
  operators: Operators
  status: StatusParts
  times: () => Times
  /** The cloud's own team API, and signing in. */
  extra: readonly AnyOperation[]
  sessionCookie: string | undefined
  errorShape: ErrorShape
}

export function adminOperations(parts: AdminOperationsParts): AnyOperation[] {
  const { apiUsers, rights, operators, status, times, extra, sessionCookie, errorShape } = parts
  const operations: AnyOperation[] = [
    ...userOperations({ apiUsers, times }),
    ...tokenOperations({ apiUsers, times }),
    ...rightsOperations({ rights, times }),
    ...operatorOperations({ operators, nowMs: () => times().nowMs }),
    statusOperation(status),
    healthOperation(status),
    ...extra,
  ]
  let written: Uint8Array | undefined
  // Once, when somebody first asks: anybody may, as often as they like.
  const document = () => {
    const described = { operations, sessionCookie, errorShape }
    return (written ??= Buffer.from(JSON.stringify(openApiDocument(described))))
  }
  operations.push(documentOperation(document))
  return operations
}

/** The document without a gate behind it; `extra` as described, none of it is served. */
export function describeAdmin(
  described: Pick<AdminOperationsParts, 'extra' | 'sessionCookie' | 'errorShape'>,
): Record<string, unknown> {
  const nothing = unserved<AdminOperationsParts>()
  const operations = adminOperations({ ...nothing, status: unserved<StatusParts>(), ...described })
  return openApiDocument({ ...described, operations })
}

/** Parts for operations that are described and never called: none of them is there. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller says of what there is nothing
export function unserved<T extends object>(): T {
  const nothing: T = Object.create(null)
  return nothing
}

function documentOperation(document: () => Uint8Array): OpenOperation {
  return {
    ...{ id: 'getOpenApi', method: 'GET', path: '/openapi.json', role: 'none' },
    ...{ tag: 'Gate', errors: 'problem', summary: 'This document' },
    answers: { 200: { says: 'OpenAPI 3.1' } },
    handle: async () => ({ status: 200, json: document() }),
  }
}
