// An error that a client is told of, by its status and code.
export class Refusal extends Error {
  constructor(statusCode, problem, message) {
    super(message)
    this.statusCode = statusCode
    this.problem = problem
  }
}

export const notFound = () => new Refusal(404, 'not_found', 'Not found')
