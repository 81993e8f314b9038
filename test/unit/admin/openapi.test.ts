import { readFileSync } from 'node:fs'
import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, it } from 'vitest'
import { describeAdmin, unserved } from '../../../src/admin/admin-operations.ts'
import type { AnyOperation } from '../../../src/admin/operation.ts'
import { openApiDocument } from '../../../src/admin/openapi.ts'

const errorShape = { body: { error: '$error', error_description: '$says' } }

describe('the OpenAPI document', () => {
  it('is valid OpenAPI 3.1, as committed with all that a configuration may add', async () => {
    const committed: Record<string, unknown> = JSON.parse(
      readFileSync('schemas/admin-api.openapi.json', 'utf8'),
    )
    expect(await new Validator().validate(committed)).toMatchObject({ valid: true })
    const bare = describeAdmin({ extra: [], sessionCookie: undefined, errorShape })
    expect(await new Validator().validate(structuredClone(bare))).toMatchObject({ valid: true })
  })

  it('is refused by the validator where it is not', async () => {
    const document = describeAdmin({ extra: [], sessionCookie: undefined, errorShape })
    const { valid } = await new Validator().validate({ ...document, paths: { here: 1 } })
    expect(valid).toBe(false)
  })

  it('names every schema that it refers to', () => {
    const text = JSON.stringify(describeAdmin({ extra: [], sessionCookie: undefined, errorShape }))
    const document: unknown = JSON.parse(text)
    for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      expect(document).toHaveProperty(['components', 'schemas', name])
    }
    expect(text).not.toContain('$defs')
  })

  it('tells of problems in the words that the operation uses', () => {
    const operation: Omit<AnyOperation, 'handle'> = {
      ...{ id: 'x', method: 'GET', path: '/v1/x/{y}', tag: 'x', summary: 'x', role: 'viewer' },
      ...{ errors: 'cloud', answers: { 200: { says: 'x' } } },
    }
    const document = openApiDocument({
      operations: [operation],
      sessionCookie: undefined,
      errorShape,
    })
    expect(document).toMatchObject({
      paths: {
        '/v1/x/{y}': {
          get: {
            parameters: [{ name: 'y', in: 'path', required: true }],
            responses: { default: { content: { 'application/json': expect.any(Object) } } },
          },
        },
      },
    })
  })

  it('describes operations that nobody could call', () => {
    expect(Object.keys(unserved())).toEqual([])
  })
})
