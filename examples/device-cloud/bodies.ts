/** Reads request bodies of the three kinds the cloud takes: JSON, forms and multipart uploads. */
import express from 'express'
import type { Request, RequestHandler, Response } from 'express'
import { parseMultipart } from './multipart.ts'
import type { UploadedFile } from './multipart.ts'
import { failed } from './refusals.ts'

const uploadLimit = '64mb'
const jsonTypes = ['application/json', 'application/*+json']

export function readBodies(): RequestHandler[] {
  return [
    express.json({ type: jsonTypes, limit: '10mb', strict: false }),
    express.urlencoded({ extended: true, limit: '10mb' }),
    express.raw({ type: 'multipart/form-data', limit: uploadLimit }),
    unpackMultipart,
  ]
}

/** The parsed body, or an empty object for anything that is not one. */
export function bodyOf(request: Pick<Request, 'body'>): Record<string, unknown> {
  const body: unknown = request.body
  const isRecord = typeof body === 'object' && body !== null && !Array.isArray(body)
  return isRecord ? (body as Record<string, unknown>) : {}
}

export function filesOf(response: Response): UploadedFile[] {
  const files: unknown = response.locals['files']
  return Array.isArray(files) ? (files as UploadedFile[]) : []
}

/** A truth value in JSON or in a form. */
export function isTrue(value: unknown): boolean {
  return value === true || value === 'true' || value === 1 || value === '1'
}

/** A list, a single value, or a comma-separated text, as a list of strings. */
export function listOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String)
  if (typeof value !== 'string' && typeof value !== 'number') return []
  return String(value)
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}

const unpackMultipart: RequestHandler = (request, response, next) => {
  if (Buffer.isBuffer(request.body)) {
    const form = parseMultipart(request.body, request.get('content-type') ?? '')
    if (!form) throw failed(400, 'Malformed multipart body')
    request.body = form.fields
    response.locals['files'] = form.files
  }
  next()
}
