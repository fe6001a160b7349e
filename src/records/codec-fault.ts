// How the decoders of compressed record data report bad input: thrown inside a codec, caught at its one door
// (`decompress` in codecs.ts), which returns it as a result.

export type CodecFaultKind = 'corrupt' | 'too-large'

export class CodecFault extends Error {
  override readonly name = 'CodecFault'
  readonly kind: CodecFaultKind
  constructor(kind: CodecFaultKind, message: string) {
    super(message)
    this.kind = kind
  }
}

export function corrupt(message: string): CodecFault {
  return new CodecFault('corrupt', message)
}

export function tooLarge(maxBytes: number): CodecFault {
  return new CodecFault('too-large', `decompresses to more than ${maxBytes} bytes`)
}
