import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openAuditFile } from '../../../src/audit/file.ts'
import { recover } from '../../../src/audit/recover.ts'
import { temporaryFolder } from '../../kit/tokens.ts'

describe('recover', () => {
  let folder: string
  let path: string
  beforeEach(() => {
    folder = temporaryFolder()
    path = join(folder, 'decisions.jsonl')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  async function recovered() {
    const file = await openAuditFile(path)
    try {
      return await recover(file)
    } finally {
      await file.close()
    }
  }

  it('takes a new file', async () => {
    expect(await recovered()).toEqual({ length: 0, seq: 0, tornBytes: 0, strangeLines: 0 })
  })

  it('continues after the last record', async () => {
    writeFileSync(path, '{"seq":1}\n{"seq":2}\n')
    expect(await recovered()).toEqual({ length: 20, seq: 2, tornBytes: 0, strangeLines: 0 })
  })

  it.each([
    ['half a record', '{"seq":3,"kin'],
    ['a whole record without its line end', '{"seq":3}'],
    ['blocks of zeros', '\0'.repeat(5_000)],
  ])('A03 cuts %s off the end', async (_, torn) => {
    writeFileSync(path, `{"seq":1}\n{"seq":2}\n${torn}`)
    expect(await recovered()).toMatchObject({ length: 20, seq: 2, tornBytes: torn.length })
    expect(readFileSync(path, 'utf8')).toBe('{"seq":1}\n{"seq":2}\n')
  })

  it('cuts a first record that was torn', async () => {
    writeFileSync(path, '{"se')
    expect(await recovered()).toEqual({ length: 0, seq: 0, tornBytes: 4, strangeLines: 0 })
  })

  it('finds the last record behind a long torn line', async () => {
    writeFileSync(path, `{"seq":41}\n{"seq":42}\n`)
    appendFileSync(path, 'x'.repeat(200_000))
    expect(await recovered()).toMatchObject({ seq: 42, tornBytes: 200_000 })
  })

  it('counts whole lines that are not ours and goes on after them', async () => {
    writeFileSync(path, '{"seq":7}\nhello\n{"seq":"9"}\n[1]\n')
    expect(await recovered()).toMatchObject({ seq: 7, strangeLines: 3, tornBytes: 0 })
  })

  it('refuses a file that holds something else, and leaves it alone', async () => {
    writeFileSync(path, 'hello\nworld\n')
    await expect(recovered()).rejects.toThrow(/no record.*move the file away/)
    expect(readFileSync(path, 'utf8')).toBe('hello\nworld\n')
  })
})
