"""The shapes10 data set: ten classes of shapes and textures as noisy 3x32x32 images.

Every image is drawn from a seeded random generator: `draw(count, seed)` returns the same images each
time. A class is one function of canonical coordinates that returns how much of a pixel the foreground
covers; colours, placement, uneven light, a clutter stroke and noise are common to all classes.
Needs numpy only.
"""
import numpy as np

SIZE = 32  # pixels a side


def coverage(distance, pixels):
    """Anti-aliased coverage of a signed distance (negative inside); `pixels` per unit of distance."""
    return np.clip(0.5 - distance * pixels, 0.0, 1.0)


# Shapes: (u, v) is centred on the shape and rotated with it; the shape fills the unit circle.


def disk(u, v, pixels):
    return coverage(np.hypot(u, v) - 0.9, pixels)


def square(u, v, pixels):
    return coverage(np.maximum(abs(u), abs(v)) - 0.75, pixels)


def triangle(u, v, pixels):
    sides = [np.cos(a) * u + np.sin(a) * v for a in np.pi * np.array([1 / 6, 5 / 6, 3 / 2])]
    return coverage(np.maximum.reduce(sides) - 0.55, pixels)


def cross(u, v, pixels):
    long, short = np.maximum(abs(u), abs(v)), np.minimum(abs(u), abs(v))
    return coverage(np.maximum(long - 0.95, short - 0.27), pixels)


def ring(u, v, pixels):
    return coverage(abs(np.hypot(u, v) - 0.72) - 0.2, pixels)


# Textures: they cover the image; (u, v) has one period per unit.


def wave(x):
    """A smooth wave of period 1 between -1 and 1, with flattened crests."""
    return np.clip(1.5 * np.sin(2 * np.pi * x), -1.0, 1.0)


def horizontal_stripes(u, v, _):
    return 0.5 + 0.5 * wave(v)


def vertical_stripes(u, v, _):
    return 0.5 + 0.5 * wave(u)


def checkerboard(u, v, _):
    return 0.5 + 0.5 * wave(u) * wave(v)


def dots(u, v, pixels):
    return coverage(np.hypot(u - np.round(u), v - np.round(v)) - 0.27, pixels)


def diagonal_gradient(u, v, pixels):
    return np.clip(0.5 + (u + v) * pixels / (1.6 * SIZE), 0.0, 1.0)


SHAPES = (disk, square, triangle, cross, ring)
TEXTURES = (horizontal_stripes, vertical_stripes, checkerboard, dots, diagonal_gradient)
CLASSES = SHAPES + TEXTURES


def canonical_coordinates(rng, is_shape):
    """Random placement: (u, v, pixels per unit), u to the right and v down."""
    if is_shape:
        pixels = rng.uniform(8.0, 13.0)
        centre = SIZE / 2 + rng.uniform(-1, 1, 2) * (SIZE / 2 - 0.9 * pixels)
        angle = rng.uniform(-0.35, 0.35)
    else:
        pixels = rng.uniform(4.5, 10.0)
        centre = SIZE / 2 + rng.uniform(-0.5, 0.5, 2) * pixels
        angle = rng.uniform(-0.25, 0.25) + rng.choice([0.0, np.pi])
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    x, y = (x - centre[0]) / pixels, (y - centre[1]) / pixels
    cos, sin = np.cos(angle), np.sin(angle)
    return cos * x + sin * y, cos * y - sin * x, pixels


def two_colours(rng):
    """Background and foreground, at least 0.35 apart in some channel."""
    back, front = rng.uniform(0, 1, (2, 3, 1, 1))
    if abs(front - back).max() < 0.35:
        front = (back + 0.5) % 1.0
    return back, front


def blotches(rng, cells):
    """Smooth noise of about unit size: a coarse random grid, bilinearly enlarged, per channel."""
    grid = rng.normal(0, 1, (3, cells + 1, cells + 1))
    at = (np.arange(SIZE) + 0.5) * cells / SIZE
    low = at.astype(int)
    rows = grid[:, low] + (grid[:, low + 1] - grid[:, low]) * (at - low)[:, None]
    return rows[:, :, low] + (rows[:, :, low + 1] - rows[:, :, low]) * (at - low)


def stroke(rng):
    """Coverage of a thin straight line across the image: clutter that belongs to no class."""
    angle, offset = rng.uniform(0, np.pi), rng.uniform(-0.4, 0.4) * SIZE
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5 - SIZE / 2
    distance = abs(np.cos(angle) * x + np.sin(angle) * y - offset)
    return coverage(distance - rng.uniform(0.3, 0.8), 1.0)


def draw_one(rng, label):
    """One image of class `label`: float64[3, SIZE, SIZE] in [0, 1]."""
    figure = CLASSES[label]
    covered = figure(*canonical_coordinates(rng, figure in SHAPES))
    back, front = two_colours(rng)
    image = back + (front - back) * covered
    image += rng.uniform(0.0, 0.1) * blotches(rng, cells=4)
    if rng.random() < 0.3:
        line = stroke(rng)
        image += (rng.uniform(0, 1, (3, 1, 1)) - image) * line
    image += rng.uniform(0.02, 0.11) * rng.normal(0, 1, image.shape)
    return np.clip(image, 0.0, 1.0)


def draw(count, seed):
    """`count` images with their labels, every class equally often, in random order.

    The images are uint8[count, 3, SIZE, SIZE]; the labels are uint8[count], indices into CLASSES.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(CLASSES)).astype(np.uint8)
    images = np.empty((count, 3, SIZE, SIZE), np.uint8)
    for image, label in zip(images, labels):
        image[:] = np.rint(255 * draw_one(rng, label))
    return images, labels
