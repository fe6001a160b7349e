// Types of packages that bring none, as far as the client suites use them.

declare module 'snappyjs' {
  const snappy: {
    compress(data: Uint8Array): Uint8Array
    uncompress(data: Uint8Array): Uint8Array
  }
  export default snappy
}
