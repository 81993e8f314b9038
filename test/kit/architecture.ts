/** Reads a source file for what the architecture test holds: its imports, its length, its first sentence. */

import { posix } from 'node:path'

/** Layers from the top. A file imports its own room, and rooms of layers below its own. */
const layers: readonly (readonly string[])[] = [
  ['main'],
  ['cli'],
  ['server'],
  ['proxy', 'admin'],
  ['policy', 'catalog', 'upstream', 'store', 'audit', 'config'],
  ['lib'],
  ['domain'],
]

/** Each outside package, and the only files that may know it. */
const owners: Readonly<Record<string, RegExp>> = {
  '@casl/ability': /^policy\/ability\.ts$/,
  commander: /^cli\/[^/]+\.ts$/,
  express: /^(proxy|admin)\/app\.ts$/,
  'http-proxy-middleware': /^proxy\/forward\.ts$/,
  'eventsource-parser': /^upstream\/event-parser\.ts$/,
  'openid-client': /^admin\/sign-in\/provider\.ts$/,
  pg: /^store\/postgres\/postgres\.ts$/,
  // Their front doors load much that no gate uses: types apart, they are entered by the part.
  'rate-limiter-flexible/lib/RateLimiterMemory.js': /^proxy\/create-meter\.ts$/,
  'undici/lib/dispatcher/client.js': /^upstream\/event-source\.ts$/,
  'undici/lib/dispatcher/pool.js': /^upstream\/pool\.ts$/,
  'lru-cache': /^(policy|store|upstream|proxy)\/([^/]+\/)?[^/]+\.ts$/,
  'node:sqlite': /^store\/sqlite\/sqlite\.ts$/,
  undici: /^upstream\/(pool|event-source)\.ts$/,
  yaml: /^lib\/yaml\.ts$/,
  zod: /^lib\/shape\.ts$/,
}

/** The demo runs the simulated cloud; nothing else of the product may know the examples. */
const demo = /^cli\/demo[^/]*\.ts$/

const maxLines = 250

/** `file` is relative to `src`, e.g. `domain/problem.ts`. Each fault is one line that names the file. */
export function faultsOf(file: string, source: string): string[] {
  const faults = importsOf(source).flatMap((target) => importFault(file, target) ?? [])
  const lines = source.trimEnd().split('\n').length
  if (lines > maxLines) faults.push(`${file} has ${lines} lines, more than ${maxLines}`)
  if (!/^(#!.*\n)?\/\*\*(?: |\n \* )[A-Z`](?:(?!\*\/)[\s\S])*?[.!?:](?: |\n)/.test(source)) {
    faults.push(`${file} does not begin with a sentence that says what it is for`)
  }
  if (!/^([a-z0-9-]+\/)*[a-z0-9-]+(\.d)?\.ts$/.test(file)) faults.push(`${file} is not kebab-case`)
  return faults
}

function importsOf(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
  const statements = code.matchAll(
    /^(?:import|export)\b(?:[^'";=()]*?\bfrom)?\s*['"]([^'"]+)['"]/gm,
  )
  const calls = code.matchAll(/\bimport\s*\(\s*['"]([^'"]+)['"]/g)
  return [...statements, ...calls].flatMap((match) => match[1] ?? [])
}

function importFault(file: string, target: string): string | undefined {
  const fault = `${file} -> ${target}`
  if (!target.startsWith('.')) return packageFault(file, target, fault)
  const path = posix.join(posix.dirname(file), target)
  if (!path.endsWith('.ts')) return `${fault} (imports name the file, with .ts)`
  if (path.startsWith('..')) {
    const allowed = demo.test(file) && path.startsWith('../examples/device-cloud/')
    return allowed ? undefined : fault
  }
  const from = roomOf(file)
  const to = roomOf(path)
  if (from === to) return undefined
  return layerOf(to) > layerOf(from) ? undefined : fault
}

function packageFault(file: string, target: string, fault: string): string | undefined {
  const owner = owners[target]
  if (owner !== undefined) return owner.test(file) ? undefined : fault
  return target.startsWith('node:') ? undefined : `${fault} (no file owns this package)`
}

/** A file beside `main.ts` belongs to the composition root. */
function roomOf(file: string): string {
  const [first = '', inside] = file.split('/')
  if (inside !== undefined) return first
  return first === 'main.ts' ? 'main' : 'server'
}

function layerOf(room: string): number {
  const layer = layers.findIndex((rooms) => rooms.includes(room))
  if (layer === -1)
    throw new Error(`src/${room} stands in no layer; add it to test/kit/architecture.ts`)
  return layer
}
