// An error that a client is told of, by its status and code.
export class Refusal extends Error {
  constructor(status, code, message) {
    super(message)
    this.status = status
    this.code = code
  }
}

export const notFound = () => new Refusal(404, 'not_found', 'Not found')
