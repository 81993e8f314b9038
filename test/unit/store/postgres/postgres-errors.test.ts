import { describe, expect, it } from 'vitest'
import { toOpeningError, toStoreError } from '../../../../src/store/postgres/postgres-errors.ts'
import { StoreUnusable } from '../../../../src/store/sql/rows.ts'
import { SqlConflict, StoreUnavailable } from '../../../../src/store/sql/sql.ts'

const sent = (code: string, message = 'said by the server') =>
  Object.assign(new Error(message), { severity: 'ERROR', code, detail: 'Key (hash)=(\\x0707)' })

describe('toStoreError', () => {
  it('tells a lost race, a refused statement and a database that cannot be asked apart', () => {
    expect(toStoreError(sent('23505'))).toBeInstanceOf(SqlConflict)
    for (const code of ['23514', '22P02', '42601', '42P01']) {
      const error = toStoreError(sent(code))
      expect(error).not.toBeInstanceOf(StoreUnavailable)
      expect(error.message).toContain(code)
    }
    const passing = ['57014', '57P01', '57P03', '53300', '08006', '40001', '25006', '55P03']
    expect(
      passing.filter((code) => !(toStoreError(sent(code)) instanceof StoreUnavailable)),
    ).toEqual([])
    const broken = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    expect(toStoreError(broken)).toBeInstanceOf(StoreUnavailable)
    expect(toStoreError(new Error('Query read timeout'))).toBeInstanceOf(StoreUnavailable)
  })

  it('keeps rows out of what it says, and names every address that was tried', () => {
    expect(JSON.stringify(toStoreError(sent('23505')))).not.toContain('0707')
    expect(toStoreError(sent('23505')).cause).toBeUndefined()
    const both = new AggregateError([new Error('refused ::1'), new Error('refused 127.0.0.1')])
    expect(toStoreError(both).message).toContain('refused ::1; refused 127.0.0.1')
  })
})

describe('toOpeningError', () => {
  it('says what to do', () => {
    const said = (error: unknown) => toOpeningError(error, 'PostgreSQL at db').message
    expect(said(sent('28P01'))).toContain('store_password')
    expect(said(sent('3D000'))).toContain('createdb')
    expect(said(sent('42501'))).toContain('create schema fleetgate')
    expect(said(new Error('connect ECONNREFUSED'))).toMatch(/ECONNREFUSED.*Check that it runs/)
    const ours = new StoreUnusable('written by a newer fleetgate')
    expect(toOpeningError(ours, 'PostgreSQL at db')).toBe(ours)
    expect(toOpeningError(sent('42601'), 'PostgreSQL at db')).toBeInstanceOf(StoreUnavailable)
  })
})
