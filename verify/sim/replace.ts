// Changes what one of the product's classes does, for all nodes alike: how errors are planted in it.

type Method<T, K extends keyof T> = Extract<T[K], (...args: never[]) => unknown>
type Args<T, K extends keyof T> = Parameters<Method<T, K>>
type Result<T, K extends keyof T> = ReturnType<Method<T, K>>

/** Does something else than a method does; what it returns puts the method back. */
export function replace<T extends object, K extends keyof T & string>(
  prototype: T,
  name: K,
  body: (
    self: T,
    original: (...args: Args<T, K>) => Result<T, K>,
    args: Args<T, K>,
  ) => Result<T, K>,
): () => void {
  const before = Object.getOwnPropertyDescriptor(prototype, name)
  const original = before?.value as ((...args: Args<T, K>) => Result<T, K>) | undefined
  if (before === undefined || original === undefined) throw new Error(`there is no method ${name}`)
  const value = function (this: T, ...args: Args<T, K>): Result<T, K> {
    return body(this, original.bind(this), args)
  }
  Object.defineProperty(prototype, name, { ...before, value })
  return () => Object.defineProperty(prototype, name, before)
}

/** The same for what is read without a call. */
export function replaceGetter<T extends object, K extends keyof T & string>(
  prototype: T,
  name: K,
  body: (self: T, original: () => T[K]) => T[K],
): () => void {
  const before = Object.getOwnPropertyDescriptor(prototype, name)
  const original = before?.get as (() => T[K]) | undefined
  if (before === undefined || original === undefined) throw new Error(`there is no getter ${name}`)
  const get = function (this: T): T[K] {
    return body(this, original.bind(this))
  }
  Object.defineProperty(prototype, name, { ...before, get })
  return () => Object.defineProperty(prototype, name, before)
}
