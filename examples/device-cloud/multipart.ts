/** A small reader of multipart/form-data: enough for uploads by the known clients, not a general parser. */

export interface UploadedFile {
  field: string
  filename: string
  data: Buffer
}

export interface MultipartForm {
  fields: Record<string, string>
  files: UploadedFile[]
}

const headEnd = Buffer.from('\r\n\r\n')

export function parseMultipart(body: Buffer, contentType: string): MultipartForm | null {
  const match = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType)
  const boundary = match?.[1] ?? match?.[2]
  if (boundary === undefined) return null
  const form: MultipartForm = { fields: {}, files: [] }
  const first = Buffer.from(`--${boundary}`)
  const next = Buffer.from(`\r\n--${boundary}`)
  let start = body.indexOf(first)
  if (start < 0) return null
  start += first.length
  for (;;) {
    if (body.subarray(start, start + 2).toString() === '--') return form
    const end = body.indexOf(next, start)
    if (end < 0) return null
    addPart(form, body.subarray(start, end))
    start = end + next.length
  }
}

function addPart(form: MultipartForm, part: Buffer): void {
  const split = part.indexOf(headEnd)
  if (split < 0) return
  const head = part.subarray(0, split).toString()
  const data = part.subarray(split + headEnd.length)
  const field = /\bname="([^"]*)"/i.exec(head)?.[1]
  if (field === undefined) return
  const filename = /\bfilename="([^"]*)"/i.exec(head)?.[1]
  if (filename === undefined) form.fields[field] = data.toString()
  else form.files.push({ field, filename, data: Buffer.from(data) })
}
