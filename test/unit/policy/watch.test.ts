import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../../src/domain/clock.ts'
import { readPolicyFolder, UnreadableFolder } from '../../../src/policy/folder.ts'
import { gitCommit } from '../../../src/policy/git-commit.ts'
import { loadPolicyFolder } from '../../../src/policy/load-folder.ts'
import { loadOffThread } from '../../../src/policy/load-off-thread.ts'
import { watchPolicies } from '../../../src/policy/watch.ts'
import { aCatalog } from '../../kit/a-catalog.ts'
import { userWith } from '../../kit/policies.ts'

const good = userWith('- can: devices:get')
const better = userWith('- can: [devices:get, devices:ping]')
const options = { version: '1.0.0' }
let root: string
let folder: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'policies-'))
  folder = join(root, 'policies')
  mkdirSync(folder)
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const write = (name: string, text: string) => writeFileSync(join(folder, name), text)

describe('readPolicyFolder', () => {
  it('reads yaml files of all depths in order, follows links and leaves the rest', () => {
    mkdirSync(join(folder, 'sub'))
    write('b.yaml', 'b')
    write('a.yml', 'a')
    write('.hidden.yaml', 'x')
    write('notes.txt', 'x')
    write('sub/c.yaml', 'c')
    symlinkSync(join(folder, 'b.yaml'), join(folder, 'z.yaml'))
    expect(readPolicyFolder(folder).map(({ file, text }) => [file, text])).toEqual([
      [join(folder, 'a.yml'), 'a'],
      [join(folder, 'b.yaml'), 'b'],
      [join(folder, 'sub/c.yaml'), 'c'],
      [join(folder, 'z.yaml'), 'b'],
    ])
  })

  it('throws UnreadableFolder where there is none, and for text that is no UTF-8', () => {
    expect(() => readPolicyFolder(join(root, 'none'))).toThrow(UnreadableFolder)
    writeFileSync(join(folder, 'a.yaml'), Buffer.from([0xff, 0xfe, 0x41]))
    expect(() => readPolicyFolder(folder)).toThrow(UnreadableFolder)
  })
})

describe('gitCommit', () => {
  const commit = 'a'.repeat(40)
  it('reads the commit of the checkout around a folder, loose, packed or detached', () => {
    const git = join(root, '.git')
    mkdirSync(join(git, 'refs/heads'), { recursive: true })
    writeFileSync(join(git, 'HEAD'), 'ref: refs/heads/main\n')
    expect(gitCommit(folder)).toBeUndefined()
    writeFileSync(join(git, 'packed-refs'), `# pack\n${commit} refs/heads/main\n`)
    expect(gitCommit(folder)).toBe(commit)
    writeFileSync(join(git, 'refs/heads/main'), `${'b'.repeat(40)}\n`)
    expect(gitCommit(folder)).toBe('b'.repeat(40))
    writeFileSync(join(git, 'HEAD'), `${commit}\n`)
    expect(gitCommit(folder)).toBe(commit)
    writeFileSync(join(git, 'HEAD'), 'ref: refs/../../etc/passwd\n')
    expect(gitCommit(folder)).toBeUndefined()
  })
})

describe('loadOffThread', () => {
  it('gives what a load on this thread gives', async () => {
    write('a.yaml', good)
    expect(await loadOffThread(folder, aCatalog(), options)).toEqual(
      loadPolicyFolder(folder, aCatalog(), options),
    )
    write('a.yaml', 'users: [')
    const broken = await loadOffThread(folder, aCatalog(), options)
    expect(broken).toEqual(loadPolicyFolder(folder, aCatalog(), options))
    expect(broken.ok).toBe(false)
  })

  it('resolves to a mistake where the folder is gone', async () => {
    const loaded = await loadOffThread(join(root, 'none'), aCatalog(), options)
    expect(loaded).toMatchObject({ ok: false, mistakes: [{ file: join(root, 'none') }] })
  })
})

describe('watchPolicies', () => {
  const loaded: number[] = []
  const broken: string[] = []
  beforeEach(() => {
    loaded.length = 0
    broken.length = 0
  })

  const start = (load = async () => loadPolicyFolder(folder, aCatalog(), options)) =>
    watchPolicies({
      folder,
      load,
      onLoaded: (set) => void loaded.push(set.users.get('u')?.grant.rules[0]?.actions.length ?? 0),
      onBroken: (mistakes) => broken.push(mistakes[0]?.message ?? ''),
      clock: systemClock,
      settleMs: 20,
      pollMs: 50,
    })

  it('C16 picks up a change, keeps the old set while a file is half written, and the whole one after', async () => {
    write('a.yaml', good)
    await using _watch = start()
    write('a.yaml', better)
    await vi.waitFor(() => expect(loaded).toEqual([2]), 15_000)
    write('a.yaml', better.slice(0, 60))
    await vi.waitFor(() => expect(broken).toHaveLength(1), 15_000)
    expect(loaded).toEqual([2])
    write('a.yaml.new', good)
    renameSync(join(folder, 'a.yaml.new'), join(folder, 'a.yaml'))
    await vi.waitFor(() => expect(loaded).toEqual([2, 1]), 15_000)
  })

  it('C16 loads one at a time in a storm of signals, and the last one sees the last files', async () => {
    write('a.yaml', good)
    let running = 0
    let most = 0
    let count = 0
    await using watch = start(async () => {
      count += 1
      most = Math.max(most, (running += 1))
      await new Promise(setImmediate)
      running -= 1
      return loadPolicyFolder(folder, aCatalog(), options)
    })
    const storm = Array.from({ length: 50 }, () => watch.reload())
    write('a.yaml', better)
    await Promise.all([...storm, watch.reload()])
    expect(most).toBe(1)
    expect(count).toBeLessThan(6)
    expect(loaded.at(-1)).toBe(2)
  })

  it('reports a load that throws, and loads again', async () => {
    write('a.yaml', good)
    const outcomes = [() => Promise.reject(new Error('no memory'))]
    await using watch = start(
      async () => outcomes.pop()?.() ?? loadPolicyFolder(folder, aCatalog(), options),
    )
    await watch.reload()
    expect(broken).toEqual(['cannot be put in force: no memory'])
    await watch.reload()
    expect(loaded).toEqual([1])
  })

  it('tries again by itself where the fault was not in the files, which do not change any more', async () => {
    write('a.yaml', good)
    let busy = true
    await using watch = start(async () => {
      if (busy) throw new Error('database is locked')
      return loadPolicyFolder(folder, aCatalog(), options)
    })
    await watch.reload()
    expect(broken).toEqual(['cannot be put in force: database is locked'])
    busy = false
    await vi.waitFor(() => expect(loaded).toEqual([1]), 15_000)
  })

  it('is silent once disposed', async () => {
    write('a.yaml', good)
    const watch = start()
    await watch[Symbol.asyncDispose]()
    await watch.reload()
    expect([loaded, broken]).toEqual([[], []])
  })
})
