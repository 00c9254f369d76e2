// Generated from linreg/training/kernels.py by linreg/training/javascript.py; do not edit.
//
// The update of every optimizer. It changes the weights (P,) and their two state variables
// `first` and `second` (P,) in place, given the gradient (P,), the constants c (5,) of the
// optimizer, and `step`: the learning rate and the three scheduled values of this step.

export function rmsprop(weights, gradient, first, second, c, step) {
  const lr = step[0];
  for (let i = 0; i < weights.length; i++) {
    const g = gradient[i];
    const w = weights[i];
    let m = first[i];
    let v = second[i];
    v = c[0] * v + c[1] * (g * g);
    m = c[3] * m + g / (Math.sqrt(v) + c[2]);
    weights[i] = w - lr * m;
    first[i] = m;
    second[i] = v;
  }
}

export function sgd(weights, gradient, first, second, c, step) {
  const lr = step[0];
  for (let i = 0; i < weights.length; i++) {
    const g = gradient[i];
    const w = weights[i];
    let m = first[i];
    const v = second[i];
    m = c[0] * m + g;
    weights[i] = w - lr * (c[1] * m + c[2] * g);
    first[i] = m;
    second[i] = v;
  }
}

export function adagrad(weights, gradient, first, second, c, step) {
  const lr = step[0];
  for (let i = 0; i < weights.length; i++) {
    const g = gradient[i];
    const w = weights[i];
    const m = first[i];
    let v = second[i];
    v = v + g * g;
    weights[i] = w - lr * (g / (Math.sqrt(v) + c[0]));
    first[i] = m;
    second[i] = v;
  }
}

export function adadelta(weights, gradient, first, second, c, step) {
  const lr = step[0];
  for (let i = 0; i < weights.length; i++) {
    const g = gradient[i];
    const w = weights[i];
    const m = first[i];
    let v = second[i];
    v = c[0] * v + c[1] * (g * g);
    const delta = Math.sqrt(m + c[2]) / Math.sqrt(v + c[2]) * g;
    weights[i] = w - lr * delta;
    first[i] = c[0] * m + c[1] * (delta * delta);
    second[i] = v;
  }
}

export function adam(weights, gradient, first, second, c, step) {
  const lr = step[0];
  const a = step[1];
  const b = step[2];
  for (let i = 0; i < weights.length; i++) {
    const g = gradient[i];
    const w = weights[i];
    let m = first[i];
    let v = second[i];
    m = m + c[0] * (g - m);
    v = c[1] * v + c[2] * (g * g);
    weights[i] = w * (1 - lr * c[4]) - lr * a * (m / (Math.sqrt(v) * b + c[3]));
    first[i] = m;
    second[i] = v;
  }
}

export function nadam(weights, gradient, first, second, c, step) {
  const lr = step[0];
  const a = step[1];
  const b = step[2];
  const d = step[3];
  for (let i = 0; i < weights.length; i++) {
    const g = gradient[i];
    const w = weights[i];
    let m = first[i];
    let v = second[i];
    m = m + c[0] * (g - m);
    v = c[1] * v + c[2] * (g * g);
    weights[i] = w - lr * ((a * g + d * m) / (Math.sqrt(v) * b + c[3]));
    first[i] = m;
    second[i] = v;
  }
}

export function radam(weights, gradient, first, second, c, step) {
  const lr = step[0];
  const a = step[1];
  const b = step[2];
  for (let i = 0; i < weights.length; i++) {
    const g = gradient[i];
    const w = weights[i];
    let m = first[i];
    let v = second[i];
    m = m + c[0] * (g - m);
    v = c[1] * v + c[2] * (g * g);
    weights[i] = w - lr * (m * (a + b / (Math.sqrt(v) + c[3])));
    first[i] = m;
    second[i] = v;
  }
}

export function adamax(weights, gradient, first, second, c, step) {
  const lr = step[0];
  const a = step[1];
  for (let i = 0; i < weights.length; i++) {
    const g = gradient[i];
    const w = weights[i];
    let m = first[i];
    let v = second[i];
    m = m + c[0] * (g - m);
    v = Math.max(c[1] * v, Math.abs(g) + c[3]);
    weights[i] = w - lr * a * (m / v);
    first[i] = m;
    second[i] = v;
  }
}

/** The update of a class of torch.optim. */
export const RULES = {
  RMSprop: rmsprop,
  SGD: sgd,
  Adagrad: adagrad,
  Adadelta: adadelta,
  Adam: adam,
  AdamW: adam,
  NAdam: nadam,
  RAdam: radam,
  Adamax: adamax,
};
