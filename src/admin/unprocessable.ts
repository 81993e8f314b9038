/** A problem with several causes: each is named, so that all can be put right at once. */

import { Problem, type ProblemOptions } from '../domain/problem.ts'

export type Fault = {
  /** A public sentence. */
  detail: string
  /** RFC 6901, into the request's body. */
  pointer?: string
  /** Of what is not a body: a query key. */
  parameter?: string
}

export class Unprocessable extends Problem {
  readonly faults: readonly Fault[]

  constructor(
    code: 'unprocessable' | 'invalid_body' | 'invalid_request',
    faults: readonly Fault[],
    options: ProblemOptions = {},
  ) {
    super(code, options)
    this.faults = faults
  }
}
