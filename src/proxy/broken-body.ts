/** Tells whoever reads a request's body that it broke off or broke the protocol, also where they begin to read later. */

import type { IncomingMessage } from 'node:http'
import type { Problem } from '../domain/problem.ts'

const event = Symbol('broken body')
const mark = Symbol('why the body is broken')

type Markable = IncomingMessage & { [mark]?: Problem }
type Listener = (problem: Problem) => void

export function breakBody(request: Markable, problem: Problem): void {
  request[mark] = problem
  request.emit(event, problem)
}

export function isBroken(request: Markable): boolean {
  return request[mark] !== undefined
}

/** The parser reads ahead: the body of a request may be known to be broken before its handler asks for it. */
export function onBrokenBody(request: Markable, listener: Listener): void {
  const problem = request[mark]
  if (problem === undefined) request.on(event, listener)
  else queueMicrotask(() => listener(problem))
}

export function offBrokenBody(request: IncomingMessage, listener: Listener): void {
  request.off(event, listener)
}
