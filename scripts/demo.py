"""The whole pipeline on rendered streets, with the networks that ship, on the CPU.

    python scripts/demo.py

Prints what it found, saves pictures in demo/, and opens the explorer where there is a display; args.explore=False
keeps it closed.
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.demo import DemoSettings, demo
    from oodretrieval.experiment.script import run_script

    run_script(
        lambda configuration: DemoSettings(
            dataset="streets_test",  # entry of DATASETS in configuration.py; must have truth
            model_name="deeplabv3plus_streets",  # entry of MODELS
            meta_model_name="meta_nn_streets",  # entry of META_MODELS
            net="efficientnet_lite0",  # embedding network
            save_dir="demo",  # folder for the pictures
            explore=True,  # open the explorer at the end, where there is a display
            num_cores=2,  # worker processes
            gpu=-1,  # the CPU
        ),
        demo,
    )
