function (user, context, callback) {
  class Person {
    #name;
    static count = 0;
    constructor(name) { this.#name = name; Person.count++; }
    get name() { return this.#name; }
    toString() { return `<${this.name}>`; }
    toJSON() { return {person: this.name}; }
  }
  const people = user.groups.map((g) => new Person(g));
  user.got = [String(people[0]), JSON.stringify(people), Person.count, people];
  callback(null, user, context);
}
