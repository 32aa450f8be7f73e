"""`calibrate` leads a person through an empty and a full bin. Loaded only when it is used."""


def calibrate(gauge, begun, step):
    """Take a step; return the answer, `table` in it is to be stored as `gauge.table`.

    `begun` is the caller's to keep between steps.

    `empty` and `full`, in either order, make the calibration of two points. `tare` moves the one
    there is to where the bin is empty now. A gauge that counts is set to 0 by `full`.

    Raises:
        ValueError: no such step, or too little between empty and full; nothing changed.
        GaugeFault: the sensor's own; no calibration changed.
    """
    if step == "full" and hasattr(gauge.driver, "refilled"):
        gauge.driver.refilled()
    gauge.sample()
    raws = gauge.raws
    if step == "tare":
        points, table = gauge.points(), ""
        # The first point is the empty bin, or else the last.
        shift = raws[4] - points[-1 if points[0][1] else 0][0]
        for at, level in points:
            table += "%d:%d " % (at + shift, level)
    elif step in ["empty", "full"]:
        begun[step] = raws
        if "empty" not in begun or "full" not in begun:
            other = "full" if step == "empty" else "empty"
            return {"raw": raws[4], "next": "calibrate " + other}
        empty, full = begun.pop("empty"), begun.pop("full")
        # One sample at either side may be an outlier.
        noise = max(full[7] - full[1], empty[7] - empty[1])
        if abs(full[4] - empty[4]) <= 20 * noise:
            raise ValueError("no difference: begin anew")
        table = "%d:0 %d:1000" % (empty[4], full[4])
    else:
        raise ValueError("empty, full or tare?")
    return {"table": table}
