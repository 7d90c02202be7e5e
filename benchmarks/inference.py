"""Stage 1: its wall time compared with the network's own, what metrics take of it, and memory.

    python benchmarks/inference.py
    python benchmarks/inference.py --dataset camvid_val --model deeplabv3plus_camvid --images 101

Prints medians of runs in turn, per image. *network alone* is the network on images in memory, up to logits in memory;
*metrics alone* and *finishing alone* (classes, entropy, metrics, compression, writing) are one thread on these logits.
Runs of the stage read images, load the network and, with two cores or more, start processes; ``--images`` should be
large enough for that not to count. The share of metrics is that of *metrics alone* in the stage that does everything
in turn (``args.num_cores=0``), where nothing hides it. Memory is the peak of fresh processes beyond their imports.
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from stage_runs import main

    main(__doc__ or "")
