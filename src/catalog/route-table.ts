/** Finds the one route of a request: a trie of our own, exact, case-sensitive and without backtracking. */

import type { Catalog, Method, Route } from '../domain/catalog.ts'

export type RouteMatch =
  | { kind: 'route'; route: Route; params: Readonly<Record<string, string>> }
  | { kind: 'unmapped' }
  /** A segment that no grammar at its place takes. */
  | { kind: 'bad_parameter'; parameter: string }
  /** The path is known, the method is not. */
  | { kind: 'method'; allowed: readonly Method[] }

export type RouteTable = {
  /** `segments` are decoded, as the canonical target has them. */
  match(method: string, segments: readonly string[]): RouteMatch
}

/** What a method has at the end of a path: the route, and where its parameters stand. */
type Leaf = { route: Route; slots: readonly { index: number; name: string }[] }

class Node {
  readonly literals = new Map<string, Node>()
  readonly parameters: { grammar: RegExp; name: string; node: Node }[] = []
  readonly leaves = new Map<string, Leaf>()
  allowed: readonly Method[] = []
}

const UNMAPPED: RouteMatch = { kind: 'unmapped' }

/** @throws Error where two routes have one method and one path: the loader has refused such a catalog before. */
export function createRouteTable(catalog: Pick<Catalog, 'routes'>): RouteTable {
  const root = new Node()
  for (const route of catalog.routes) insert(root, route)
  serveHead(root)
  return {
    match(method, segments) {
      let node = root
      for (let i = 0; i < segments.length; i += 1) {
        const segment = segments[i] ?? ''
        // A literal takes its word away from every parameter at this place, whatever the method.
        const next = node.literals.get(segment) ?? byGrammar(node, segment)
        if (next === undefined) {
          const [first] = node.parameters
          return first === undefined ? UNMAPPED : { kind: 'bad_parameter', parameter: first.name }
        }
        node = next
      }
      const leaf = node.leaves.get(method)
      if (leaf !== undefined) {
        const params: Record<string, string> = {}
        for (const { index, name } of leaf.slots) params[name] = segments[index] ?? ''
        return { kind: 'route', route: leaf.route, params }
      }
      return node.allowed.length > 0 ? { kind: 'method', allowed: node.allowed } : UNMAPPED
    },
  }
}

function byGrammar({ parameters }: Node, segment: string): Node | undefined {
  for (const { grammar, node } of parameters) if (grammar.test(segment)) return node
  return undefined
}

function insert(root: Node, route: Route): void {
  let node = root
  const slots: { index: number; name: string }[] = []
  for (const [index, segment] of route.pattern.segments.entries()) {
    if ('literal' in segment) {
      const next = node.literals.get(segment.literal) ?? new Node()
      node.literals.set(segment.literal, next)
      node = next
      continue
    }
    const { grammar, parameter: name } = segment
    slots.push({ index, name })
    let edge = node.parameters.find((known) => known.grammar.source === grammar.source)
    if (edge === undefined) {
      edge = { grammar, name, node: new Node() }
      node.parameters.push(edge)
    }
    node = edge.node
  }
  if (node.leaves.has(route.method)) throw new Error(`two routes are ${route.id}`)
  node.leaves.set(route.method, { route, slots })
  node.allowed = [...node.allowed, route.method]
}

/** RFC 9110 §9.3.2: HEAD asks what GET would; streams and downloads are not opened for it. */
function serveHead(node: Node): void {
  const get = node.leaves.get('GET')
  if (get?.route.way === 'small' && !node.leaves.has('HEAD')) {
    node.leaves.set('HEAD', get)
    node.allowed = [...node.allowed, 'HEAD']
  }
  for (const next of node.literals.values()) serveHead(next)
  for (const { node: next } of node.parameters) serveHead(next)
}
