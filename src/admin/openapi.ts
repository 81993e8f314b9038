/** The OpenAPI 3.1 document of the admin port, made of the very table by which requests are served. */

import type { ErrorShape } from '../domain/catalog.ts'
import { z } from '../lib/shape.ts'
import { version } from '../lib/version.ts'
import { problemShape } from './http/problem-body.ts'
import type { AnyOperation, Operation } from './operation.ts'

type Json = { [key: string]: unknown }
type Described = Omit<Operation, 'handle' | 'role'> & { role: AnyOperation['role'] }

export type OpenApiParts = {
  operations: readonly Described[]
  sessionCookie: string | undefined
  /** The cloud's, for its own team API. */
  errorShape: ErrorShape
}

export function openApiDocument({ operations, sessionCookie, errorShape }: OpenApiParts): Json {
  const components: Json = {}
  const paths: { [path: string]: Json } = {}
  const security = [{ token: [] }, ...(sessionCookie === undefined ? [] : [{ session: [] }])]
  const problem = schemaOf(problemShape, 'output', components)
  for (const operation of operations) {
    const { path, method, id, tag, summary, description, role, errors, body } = operation
    paths[path] ??= {}
    paths[path][method.toLowerCase()] = {
      ...{ operationId: id, tags: [tag], summary },
      description: [description, role === 'none' ? undefined : `Role: ${role}.`]
        .filter((line) => line !== undefined)
        .join(' '),
      security: role === 'none' ? [] : security,
      parameters: parametersOf(operation, components),
      ...(body !== undefined && {
        requestBody: {
          required: true,
          content: { 'application/json': { schema: schemaOf(body, 'input', components) } },
        },
      }),
      responses: {
        ...answersOf(operation, components),
        default: errors === 'problem' ? refusal(problem) : cloudRefusal(errorShape),
      },
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'fleetgate admin API',
      version,
      description: 'For operators: API users, their tokens, and what they may do.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: components,
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'Token of an operator, fg_o_…' },
        ...(sessionCookie !== undefined && {
          session: { type: 'apiKey', in: 'cookie', name: sessionCookie },
        }),
      },
    },
  }
}

function parametersOf(operation: Described, components: Json): Json[] {
  const { path, query = {}, conditional } = operation
  const names = [...path.matchAll(/\{([^}]+)\}/g)].flatMap(([, name]) => name ?? [])
  return [
    ...names.map((name) => ({
      ...{ name, in: 'path', required: true, schema: { type: 'string', minLength: 1 } },
    })),
    ...Object.entries(query).map(([name, shape]) => {
      const { description, required, ...schema } = schemaOf(shape, 'input', components)
      return { name, in: 'query', required: required === true, description, schema }
    }),
    ...(conditional === true
      ? [
          {
            ...{ name: 'If-Match', in: 'header', required: true, schema: { type: 'string' } },
            description: 'The ETag that was read; another one is refused with 412.',
          },
        ]
      : []),
  ]
}

function answersOf({ answers }: Described, components: Json): Json {
  const responses: Json = {}
  for (const [status, { says, body }] of Object.entries(answers)) {
    responses[status] = {
      description: says,
      headers: { 'X-Request-Id': { schema: { type: 'string' } } },
      ...(body !== undefined && {
        content: { 'application/json': { schema: schemaOf(body, 'output', components) } },
      }),
    }
  }
  return responses
}

function refusal(schema: Json): Json {
  return {
    description: 'A problem (RFC 9457)',
    content: { 'application/problem+json': { schema } },
  }
}

function cloudRefusal({ body }: ErrorShape): Json {
  const keys = Object.keys(body)
  const properties = Object.fromEntries(keys.map((key) => [key, { type: 'string' }]))
  return {
    description: 'A problem in the words of the cloud',
    content: {
      'application/json': { schema: { type: 'object', required: keys, properties } },
    },
  }
}

/** What has a name stands once, among the components. */
function schemaOf(shape: z.ZodType, io: 'input' | 'output', components: Json): Json {
  const { $schema: _, $defs = {}, ...schema } = placed(z.toJSONSchema(shape, { io, override }))
  if (typeof $defs === 'object' && $defs !== null) {
    for (const [name, definition] of Object.entries($defs)) components[name] = withoutId(definition)
  }
  const { id } = schema
  if (typeof id !== 'string') return schema
  components[id] = withoutId(schema)
  return { $ref: `#/components/schemas/${id}` }
}

/** What the format and the type say already is left out. */
function override({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  const { format, type, minimum, maximum } = jsonSchema
  if (format === 'date-time' || type === 'integer') delete jsonSchema.pattern
  if (minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
  if (maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
}

function placed(schema: unknown): Json {
  const text = JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')
  return z.record(z.string(), z.unknown()).parse(JSON.parse(text))
}

function withoutId(definition: unknown): unknown {
  if (typeof definition !== 'object' || definition === null) return definition
  return Object.fromEntries(Object.entries(definition).filter(([key]) => key !== 'id'))
}
