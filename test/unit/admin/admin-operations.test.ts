import { describe, expect, it } from 'vitest'
import {
  adminOperations,
  unserved,
  type AdminOperationsParts,
} from '../../../src/admin/admin-operations.ts'
import type { StatusParts } from '../../../src/admin/operations/status.ts'

describe('the OpenAPI document', () => {
  it('is written once, however often anybody asks for it', async () => {
    const operations = adminOperations({
      ...unserved<AdminOperationsParts>(),
      ...{ status: unserved<StatusParts>(), extra: [], sessionCookie: undefined },
    })
    const operation = operations.find(({ id }) => id === 'getOpenApi')
    if (operation?.role !== 'none') throw new Error('The document needs no credential.')
    const ask = () =>
      operation.handle({
        ...{ params: {}, query: {}, cookies: {} },
        ...{ requestId: 'r', address: '192.0.2.1', agent: undefined },
      })
    const first = await ask()
    expect((await ask()).json).toBe(first.json)
    const document: unknown = JSON.parse(Buffer.from(first.json ?? []).toString())
    expect(document).toMatchObject({ openapi: expect.stringMatching(/^3\.1/) })
  })
})
