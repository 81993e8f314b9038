/** Deterministic numbers and ids: the same product and index give the same device on every start. */

/** Ids that YAML readers like to mistake for numbers; they sit at fixed places of the first product. */
const awkwardIds: ReadonlyMap<number, string> = new Map([
  [3, '420032000e47343432313031'], // a float with an absurd exponent
  [7, '500046000151373332363730'], // decimal digits only
  [11, '004500380047363333343435'], // digits only, with leading zeros
  [13, '0e0000000000000000000017'], // zero, as a float
])

const awkwardProductId = 12345

/** Mixes 32 bits so that different inputs always give different outputs. */
export function mix(value: number): number {
  let bits = value >>> 0
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}

/** A number below `range` that hangs on its three seeds only. */
export function roll(origin: number, index: number, salt: number, range: number): number {
  return mix(mix(origin + salt * 7919) ^ index) % range
}

export function hex(value: number, digits = 8): string {
  return (value >>> 0).toString(16).padStart(digits, '0').slice(-digits)
}

export function deviceIdAt(origin: number, index: number): string {
  const awkward = origin === awkwardProductId ? awkwardIds.get(index) : undefined
  if (awkward !== undefined) return awkward
  const first = mix(index ^ mix(origin)) // one to one in the index: two devices never share it
  return `e00fce68${hex(first)}${hex(mix(first ^ mix(origin + 1)))}`
}

export function objectIdOf(...seeds: number[]): string {
  let state = 0x9e3779b9
  return [1, 2, 3]
    .map((word) => {
      for (const seed of seeds) state = mix(state ^ mix(seed + word))
      return hex(state)
    })
    .join('')
}

export function isDeviceId(text: string): boolean {
  return /^[0-9a-f]{24}$/i.test(text)
}
