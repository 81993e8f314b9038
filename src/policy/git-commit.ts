/** The git commit of a checkout, read from its files: no git is run. */

import { readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/

/** `undefined` where the folder is in no checkout, or there is no commit yet. It is a hint for people, nothing decides on it. */
export function gitCommit(folder: string): string | undefined {
  const git = findGit(resolve(folder))
  if (git === undefined) return undefined
  const head = textOf(join(git, 'HEAD'))
  if (head === undefined || COMMIT.test(head)) return head
  const name = /^ref: (refs\/[\w./-]+)$/.exec(head)?.[1]
  if (name === undefined || name.includes('..')) return undefined
  const common = textOf(join(git, 'commondir'))
  const root = common === undefined ? git : resolve(git, common)
  const loose = textOf(join(root, name))
  if (loose !== undefined) return COMMIT.test(loose) ? loose : undefined
  const packed = textOf(join(root, 'packed-refs'))?.split('\n') ?? []
  const line = packed.find((entry) => entry.endsWith(` ${name}`))
  const commit = line?.split(' ')[0] ?? ''
  return COMMIT.test(commit) ? commit : undefined
}

function findGit(folder: string): string | undefined {
  for (let here = folder; ; here = dirname(here)) {
    const git = join(here, '.git')
    const found = statSync(git, { throwIfNoEntry: false })
    if (found?.isDirectory()) return git
    const linked = found?.isFile() ? /^gitdir: (.+)$/.exec(textOf(git) ?? '')?.[1] : undefined
    if (linked !== undefined) return resolve(here, linked)
    if (dirname(here) === here) return undefined
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}
