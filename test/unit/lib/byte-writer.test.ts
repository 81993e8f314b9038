import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { ByteWriter } from '../../../src/lib/byte-writer.ts'

describe('ByteWriter', () => {
  it('writes what it is given and nothing else, whatever room it expected', () => {
    const part = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
    fc.assert(
      fc.property(
        fc.array(part),
        fc.nat(100),
        fc.nat(9),
        fc.string(),
        (parts, expected, cut, before) => {
          const writer = new ByteWriter(expected, cut)
          const wanted = [Buffer.from(before)]
          for (const bytes of parts) {
            const start = Math.min(cut, bytes.length)
            writer.copy(bytes, start, bytes.length)
            writer.byte(bytes.length)
            writer.text('é')
            wanted.push(bytes.subarray(start), Buffer.from([bytes.length]), Buffer.from('é'))
          }
          expect(writer.finish(before).equals(Buffer.concat(wanted))).toBe(true)
        },
      ),
    )
  })
})
