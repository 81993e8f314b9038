/** What a problem says on the admin port: RFC 9457, or for the cloud's own API in the cloud's words. */

import type { ErrorShape } from '../../domain/catalog.ts'
import { Problem } from '../../domain/problem.ts'
import { z } from '../../lib/shape.ts'
import type { AnyOperation } from '../operation.ts'
import { Unprocessable } from '../unprocessable.ts'

/** RFC 9457 §3, with the code and the request's id beside what it asks for. */
export const problemShape = z
  .strictObject({
    type: z.string().meta({ description: 'urn:fleetgate:problem: and the code' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().meta({ description: 'Stable; docs/admin-api.md lists them' }),
    request_id: z.string().meta({ description: 'Finds it in the audit log' }),
    errors: z
      .array(
        z.strictObject({
          detail: z.string(),
          pointer: z.string().optional().meta({ description: 'RFC 6901, into the body' }),
          parameter: z.string().optional().meta({ description: 'A query key' }),
        }),
      )
      .optional()
      .meta({ description: 'Each thing that is wrong, where there may be several' }),
  })
  .meta({ id: 'Problem' })

export type Written = { contentType: string; body: unknown }

export function problemBody(
  problem: Problem,
  requestId: string,
  errors: AnyOperation['errors'],
  shape: ErrorShape,
): Written {
  if (errors === 'cloud') {
    return { contentType: 'application/json; charset=utf-8', body: cloudBody(problem, shape) }
  }
  const body: z.infer<typeof problemShape> = {
    type: `urn:fleetgate:problem:${problem.code}`,
    title: new Problem(problem.code).says,
    status: problem.status,
    detail: problem.says,
    code: problem.code,
    request_id: requestId,
    ...(problem instanceof Unprocessable && { errors: [...problem.faults] }),
  }
  return { contentType: 'application/problem+json; charset=utf-8', body }
}

function cloudBody(problem: Problem, { body }: ErrorShape): Record<string, string> {
  const faults = problem instanceof Unprocessable ? problem.faults : []
  const says = [problem.says, ...faults.map(({ detail }) => detail)].join(' ')
  const words: Record<string, string> = {
    $error: problem.error,
    $code: problem.code,
    $says: says,
    $tell: says,
  }
  return Object.fromEntries(
    Object.entries(body).map(([key, template]) => [key, words[template] ?? template]),
  )
}
